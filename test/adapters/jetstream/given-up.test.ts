import { describe, expect, test } from "vitest";
import { fakeClock } from "waybill/testing";
import { GivenUpLane } from "../../../adapters/jetstream/given-up-lane.ts";
import { Lane } from "../../../adapters/jetstream/lane.ts";
import { collectingSink } from "../nats/sink.ts";
import { type Answers, contextOf, fakeApi, refusal } from "./fake-api.ts";

const original = { subject: "p.3.a", seq: 7, hdrs: btoa("NATS/1.0\r\nce-id: e-7\r\n\r\n"), data: btoa("seven") };
const stored: Answers = () => ({ message: { ...original, time: "2026-01-01T00:00:00.123456789Z" } });
const consumer = { name: "g-p3", ackWaitMs: 1_000, pending: 0, made: false };
const spec = { stream: "S", durable: "g", subjects: ["x"], from: "earliest" } as const;

/** The collector of a group's lane, over a FAKE server that confirms every verdict. */
function setUp(answers: Answers = stored, retention = "limits") {
  const clock = fakeClock();
  const sink = collectingSink();
  const { api, asked } = fakeApi(answers);
  const verdicts: string[] = [];
  let confirm = (_: string): void => undefined;
  const connection = {
    subscribe: (_: string, { callback }: { callback: (error: null, message: object) => void }) => {
      confirm = (subject) => callback(null, { subject, data: new Uint8Array() });
      return { drain: () => Promise.resolve(), unsubscribe: () => undefined };
    },
    publish(subject: string, payload: Uint8Array, { reply }: { reply?: string } = {}) {
      if (subject.startsWith("$JS.ACK")) verdicts.push(new TextDecoder().decode(payload));
      if (reply?.startsWith("in.")) queueMicrotask(() => confirm(reply));
    },
  };
  const link = { state: "connected", listen: () => () => undefined };
  const context = contextOf(api, { clock, link, options: { connection }, inbox: () => "in", heartbeatMs: 1_000 });
  let credit = 1;
  let fills = 0;
  const owner = {
    context,
    sink,
    signal: new AbortController().signal,
    take: () => credit > 0 && credit-- > 0,
    give: () => void credit++,
    fill: () => void fills++,
  };
  const origin = new Lane(owner, "S/3", spec, consumer, true);
  const lane = new GivenUpLane(owner, spec, consumer, { name: "S", subjects: [], retention }, [origin]);
  const told = { type: "io.nats.jetstream.advisory.v1.max_deliver", consumer: "g-p3", stream_seq: 7, deliveries: 4 };
  let deliveries = 0;
  return {
    ...{ lane, origin, sink, verdicts, asked, clock },
    credit: () => credit,
    fills: () => fills,
    tell(more: object | string = {}) {
      const text = typeof more === "string" ? more : JSON.stringify({ ...told, ...more });
      const reply = `$JS.ACK.S_GIVEN_UP.g.1.${++deliveries}.${deliveries}.0.0`;
      lane.message({ subject: "advisory", data: new TextEncoder().encode(text), reply });
      return new Promise((resolve) => setTimeout(resolve, 0));
    },
  };
}
const terminated = "io.nats.jetstream.advisory.v1.terminated";

describe("what the server gave up", () => {
  test("is the original message, where it stood, and settled by the verdict of the advisory", async () => {
    const { sink, tell, verdicts, credit, fills, asked } = setUp();
    await tell();
    // The next one is asked for before this is settled.
    expect(fills()).toBe(1);
    const [delivery] = sink.deliveries;
    expect(delivery).toMatchObject({ attempt: 4, lane: "S/3", position: "7", givenUp: "max-deliveries" });
    expect(delivery!.message).toMatchObject({ destination: "a", partition: 3, timestampMs: 1_767_225_600_123 });
    expect([delivery!.message.headers.get("ce-id"), sink.bodies()]).toEqual(["e-7", ["seven"]]);
    expect([verdicts, credit()]).toEqual([[], 0]);
    await delivery!.settle({ kind: "reject", reason: "dead" });
    await delivery!.settle({ kind: "retry", delayMs: 0 });
    delivery!.release();
    expect([verdicts, asked.length]).toEqual([["+ACK"], 1]);
  });

  test("is removed from a work queue, where nobody would get it any more", async () => {
    const { sink, tell, asked } = setUp((subject) => (subject.includes("GET") ? stored("", 0) : {}), "workqueue");
    await tell();
    await sink.deliveries[0]!.settle({ kind: "ack" });
    expect(asked.slice(1)).toEqual([{ subject: "STREAM.MSG.DELETE.S", body: { seq: 7, no_erase: true } }]);
  });

  test("because it was rejected here is done with, and uses no credit", async () => {
    const { sink, tell, verdicts, credit, asked } = setUp();
    await tell({ type: terminated, reason: "waybill: handler-failed" });
    expect([sink.deliveries, verdicts, credit(), asked]).toEqual([[], ["+ACK"], 1, []]);
    await tell({ type: terminated, reason: "poison" });
    expect(sink.deliveries).toMatchObject([{ givenUp: "terminated", position: "7" }]);
  });

  test("and is gone is told, and over", async () => {
    const { sink, tell, verdicts, credit } = setUp(() => refusal(10037));
    await tell({ type: terminated, reason: "deleted" });
    expect(sink.errors).toMatchObject([{ code: "transport-failed", retryable: false }]);
    expect(sink.errors[0]!.message).toMatch(/S: 7, given up by the server \(terminated: deleted\), is lost/);
    expect([sink.deliveries, verdicts, credit()]).toEqual([[], ["+ACK"], 1]);
  });

  test("and cannot be fetched comes again", async () => {
    const { sink, tell, verdicts, credit } = setUp(() => refusal(10008, 503));
    await tell();
    expect(sink.errors).toMatchObject([{ code: "transport-failed", retryable: true }]);
    expect([sink.deliveries, verdicts, credit()]).toEqual([[], ['-NAK {"delay":1000000000}'], 1]);
  });

  test("and is fetched while the subscription closes is given back", async () => {
    let answer = (_: object): void => undefined;
    const { lane, sink, tell, verdicts } = setUp(() => new Promise<object>((resolve) => (answer = resolve)));
    await tell();
    const stopping = lane.stop();
    answer(await stored("", 0));
    await stopping;
    expect([sink.deliveries, verdicts]).toEqual([[], ["-NAK"]]);
  });

  test("waits while its lane is paused", async () => {
    const { lane, origin, sink, tell } = setUp();
    for (const each of [origin, lane]) each.pause("S/3");
    await tell();
    expect(sink.deliveries).toEqual([]);
    for (const each of [origin, lane]) each.resume("S/3");
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(sink.deliveries).toHaveLength(1);
  });

  test.each(["", "{}", "null", '{"type":1}'])("is not what %j says", async (text) => {
    const { sink, tell, verdicts, credit } = setUp();
    await tell(text);
    expect([sink.deliveries, verdicts, credit()]).toEqual([[], ["+ACK"], 1]);
  });
});
