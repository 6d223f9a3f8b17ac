import { describe, expect, test } from "vitest";
import type { Transport } from "waybill";
import { LogState } from "../../../core/delivery/log-state.ts";
import { codeOf } from "./set-up.ts";

/** A log that is read step by step, and whose readings and writes wait while they are held. */
function setUp() {
  const log: { key: string; value: string | null }[] = [];
  const gates: (() => void)[] = [];
  let held = false;
  let readings = 0;
  const pass = (): Promise<void> | undefined => (held ? new Promise((resolve) => gates.push(resolve)) : undefined);
  let lateAnswer: Promise<void> | undefined;
  const transport = {
    async publish(messages: readonly { key: string; body: string | null }[]) {
      for (const { key, body } of messages) log.push({ key, value: body });
      await lateAnswer;
      return messages.map(() => ({ stored: true, at: {} }));
    },
    async *read({ from }: { from?: string }) {
      readings++;
      await pass();
      const end = log.length;
      for (let at = Number(from ?? 0); at < end; at++) {
        await pass();
        const { key, value } = log[at]!;
        yield { key, body: value === null ? null : new TextEncoder().encode(value), position: String(at) };
      }
      readings--;
    },
  } as unknown as Transport;
  const open = (): void => {
    held = false;
    for (const each of gates.splice(0)) each();
  };
  return {
    log,
    state: new LogState(transport, "orders.dlq.state"),
    hold: () => {
      held = true;
    },
    open,
    readings: () => readings,
    answerLate(): () => void {
      let answer = (): void => undefined;
      lateAnswer = new Promise((resolve) => {
        answer = resolve;
      });
      return () => {
        lateAnswer = undefined;
        answer();
      };
    },
  };
}

describe("a refresh of state in a log", () => {
  test("sees what was written before it was asked for, though another reads", async () => {
    const { log, state, hold, open } = setUp();
    log.push({ key: "x", value: "1" });
    const first = state.refresh();
    hold();
    // Its end is fixed by now.
    for (let n = 0; n < 2; n++) await Promise.resolve();
    log.push({ key: "letter.1", value: "redriven" });
    const second = state.refresh();
    const third = state.refresh();
    open();
    await first;
    expect(state.get("letter.1")).toBeUndefined();
    await Promise.all([second, third]);
    expect(state.get("letter.1")).toBe("redriven");
  });

  test("reads one after the other, however many ask", async () => {
    const { log, state, readings } = setUp();
    for (let n = 1; n <= 5; n++) {
      log.push({ key: "x", value: String(n) });
      const asked = [state.refresh(), state.refresh()];
      await Promise.resolve();
      log.push({ key: "y", value: String(n) });
      asked.push(state.refresh());
      expect(readings()).toBe(1);
      await Promise.all(asked);
      expect([state.get("x"), state.get("y")]).toEqual([String(n), String(n)]);
    }
  });

  test("is given up by who gave it up alone", async () => {
    const { log, state, hold, open } = setUp();
    log.push({ key: "x", value: "1" });
    hold();
    const control = new AbortController();
    const first = codeOf(state.refresh(control.signal));
    const second = state.refresh();
    control.abort(new Error("one operator gives up"));
    expect(await first).toBe("aborted");
    open();
    await second;
    expect(state.get("x")).toBe("1");
  });

  test("brings no older value back while own writes are read again", async () => {
    const { state } = setUp();
    await state.refresh();
    await state.put("park.k", "parked by letter 1");
    await state.put("park.k", null);
    await state.put("park.k", "parked by letter 2");
    const seen = new Set<string | undefined>();
    let over = false;
    const reading = state.refresh().then(() => {
      over = true;
    });
    while (!over) {
      seen.add(state.get("park.k"));
      await Promise.resolve();
    }
    await reading;
    expect([...seen]).toEqual(["parked by letter 2"]);
  });

  test("does not undo what is written while it reads", async () => {
    const { log, state, hold, open } = setUp();
    log.push({ key: "park.k", value: "parked" });
    await state.refresh();
    const reading = state.refresh();
    hold();
    for (let n = 0; n < 2; n++) await Promise.resolve();
    await state.put("park.k", null);
    open();
    await reading;
    expect(state.get("park.k")).toBeUndefined();
  });

  test("finds what another wrote behind a write that came meanwhile", async () => {
    const { log, state, hold, open } = setUp();
    log.push({ key: "x", value: "1" });
    hold();
    const reading = state.refresh();
    await state.put("k", "mine");
    log.push({ key: "k", value: "another's" }, { key: "x", value: "2" });
    open();
    await reading;
    await state.refresh();
    expect(state.get("k")).toBe("another's");
  });

  test("finds what another wrote behind a write whose answer came late", async () => {
    const { log, state, answerLate } = setUp();
    const answer = answerLate();
    const writing = state.put("k", "mine");
    log.push({ key: "k", value: "another's" }, { key: "x", value: "1" });
    await state.refresh();
    expect(state.get("k")).toBe("another's");
    answer();
    await writing;
    await state.refresh();
    expect(state.get("k")).toBe("another's");
  });
});
