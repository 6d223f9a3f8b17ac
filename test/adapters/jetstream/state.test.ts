import { expect, test } from "vitest";
import { openState } from "../../../adapters/jetstream/state.ts";
import { contextOf, fakeApi, refusal } from "./fake-api.ts";

const config = { subjects: ["$KV.s.>"], retention: "limits", max_msgs_per_subject: 1, max_age: 0 };
const text = new TextDecoder();

interface Entry {
  readonly seq: number;
  readonly headers: string;
  readonly value: string;
}

/** A store over a FAKE server with one key. `loses` of its answers are lost with the socket, after the write. */
async function setUp(options: { loses?: number; meanwhile?: (write: (value: string) => void) => void } = {}) {
  let last: Entry | undefined;
  let sequence = 0;
  let { loses = 0 } = options;
  const write = (value: string, headers = "NATS/1.0\r\n\r\n"): void => {
    last = { seq: ++sequence, headers, value };
  };
  const { api } = fakeApi(
    (subject) => {
      if (subject === "STREAM.INFO.KV_s") return { config };
      if (!last) return refusal(10037);
      const { seq, headers, value } = last;
      return {
        message: { subject: "$KV.s.k", seq, hdrs: btoa(headers), data: btoa(value), time: "2026-01-01T00:00:00Z" },
      };
    },
    async (_, payload, headers, sends) => {
      for (;;) {
        sends?.();
        const block = text.decode(headers!.encode());
        const expected = Number(/Sequence: (\d+)/.exec(block)![1]);
        const fits = expected === (last?.seq ?? 0);
        if (fits) write(text.decode(payload), block);
        if (loses > 0) {
          loses--;
          options.meanwhile?.(write);
          continue;
        }
        return (fits ? { seq: sequence } : refusal(10071, 400)) as never;
      }
    },
  );
  const store = await openState(contextOf(api), "s", {});
  return { store, write };
}

test("a write whose answer was lost with the socket is recognised when it is sent again", async () => {
  const { store } = await setUp({ loses: 2 });
  expect(await store.put("k", "1", 0)).toBe(1);
  expect(await store.put("k", "2", 1)).toBe(2);
  expect(await store.get("k")).toEqual({ value: "2", revision: 2 });
});

test("nobody can tell where another wrote before it was sent again", async () => {
  const { store } = await setUp({ loses: 1, meanwhile: (write) => write("theirs") });
  const unknown = { code: "transport-failed", outcome: "unknown", retrySafe: false };
  await expect(store.put("k", "mine", 0)).rejects.toMatchObject(unknown);
  expect(await store.put("k", "mine", 1)).toBeUndefined();
});

test("a deletion whose answer was lost has succeeded where nothing is there", async () => {
  const { store } = await setUp();
  const revision = (await store.put("k", "1", 0))!;
  const lossy = await setUp({ loses: 1 });
  await lossy.store.put("k", "1", 0);
  expect([await store.delete("k", revision), await lossy.store.delete("k", 1)]).toEqual([true, true]);
  expect(await lossy.store.get("k")).toBeUndefined();
});

test.each(["KV-Operation: DEL", "KV-Operation: PURGE", "Nats-Marker-Reason: MaxAge"])(
  "%s is no entry, and may be written over",
  async (header) => {
    const { store, write } = await setUp();
    write("", `NATS/1.0\r\n${header}\r\n\r\n`);
    expect(await store.get("k")).toBeUndefined();
    expect(await store.put("k", "1", 0)).toBe(2);
  },
);

test("a rival that is faster wins", async () => {
  const { store, write } = await setUp();
  write("theirs");
  expect(await store.put("k", "mine", 0)).toBeUndefined();
  expect(await store.delete("k", 2)).toBe(false);
});
