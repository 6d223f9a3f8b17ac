import { describe, expect, test } from "vitest";
import { createEventBus, EventError, fixedBackoff, type PublishOutcome } from "waybill";
import { memoryTransport } from "waybill/memory";
import { fakeClock } from "waybill/testing";

type Refusal = Omit<Extract<PublishOutcome, { stored: false }>, "stored" | "error"> & { retryable?: boolean };

/** A bus whose transport refuses the first messages as the test says. */
function setUp(...refusals: Refusal[]) {
  const clock = fakeClock();
  const memory = memoryTransport({ clock });
  const sent: { id: string | undefined; dedupId: string | undefined; atMs: number; time: string | undefined }[] = [];
  const store = memory.publish;
  const startMs = clock.now();
  memory.publish = async (messages, options) => {
    const [message] = messages;
    const header = (name: string): string | undefined => {
      const at = message!.headers.indexOf(name);
      return at < 0 ? undefined : String(message!.headers[at + 1]);
    };
    sent.push({ id: header("ce-id"), dedupId: message!.dedupId, atMs: clock.now() - startMs, time: header("ce-time") });
    const refusal = refusals.shift();
    if (!refusal) return store(messages, options);
    const { retryable = true, ...outcome } = refusal;
    return [{ stored: false, ...outcome, error: new EventError("timeout", "no answer", { retryable }) }];
  };
  const bus = createEventBus({ source: "/shop", transports: { memory }, clock });
  const publish = async (retry: object, more: object = {}): Promise<unknown> => {
    await bus.publishAll([]); // what retries is loaded with the first use
    const publishing = bus.publish("order", {}, { retry, ...more }).catch((error: unknown) => error);
    await clock.advance(60_000);
    return publishing;
  };
  return { clock, bus, sent, publish };
}

const refused: Refusal = { outcome: "failed", retrySafe: true };
const backoff = fixedBackoff(1_000);

describe("a publish that retries", () => {
  test("sends one and the same event again after its wait, and says how often it was sent", async () => {
    const { sent, publish } = setUp(refused, refused);
    expect(await publish({ attempts: 3, backoff })).toMatchObject({ attempts: 3, stored: "broker" });
    expect(sent.map(({ atMs }) => atMs)).toEqual([0, 1_000, 2_000]);
    expect(new Set(sent.map(({ id, dedupId, time }) => `${id} ${dedupId} ${time}`)).size).toBe(1);
  });

  test("gives up after its attempts, with the last error", async () => {
    const { sent, publish } = setUp(refused, refused, refused);
    expect(await publish({ attempts: 2, backoff })).toMatchObject({ code: "timeout", outcome: "failed" });
    expect(sent.length).toBe(2);
  });

  test("sends what may be stored again only where a second copy is recognised", async () => {
    const safe = setUp({ outcome: "unknown", retrySafe: true });
    expect(await safe.publish({ attempts: 2, backoff })).toMatchObject({ attempts: 2 });
    const unsafe = setUp({ outcome: "unknown", retrySafe: false });
    expect(await unsafe.publish({ attempts: 2, backoff })).toMatchObject({ code: "timeout", outcome: "unknown" });
    expect(unsafe.sent.length).toBe(1);
  });

  test("does not repeat what is of no use", async () => {
    const { sent, publish } = setUp({ ...refused, retryable: false });
    expect(await publish({ attempts: 5, backoff })).toMatchObject({ code: "timeout" });
    expect(sent.length).toBe(1);
  });

  test("ends with its time, also in the middle of a wait", async () => {
    const { sent, publish } = setUp(refused, refused, refused);
    expect(await publish({ attempts: 5, backoff }, { timeoutMs: 1_500 })).toMatchObject({ code: "timeout" });
    expect(sent.length).toBe(2);
  });

  test("ends when the caller gives up", async () => {
    const { clock, bus, sent } = setUp(refused, refused);
    const controller = new AbortController();
    const publishing = bus
      .publish("order", {}, { retry: { attempts: 5, backoff }, signal: controller.signal })
      .catch((error: unknown) => error);
    await clock.advance(500);
    controller.abort(new Error("enough"));
    await clock.advance(10_000);
    expect([await publishing, sent.length]).toMatchObject([{ code: "aborted" }, 1]);
  });

  test("refuses a policy that cannot be", async () => {
    const { sent, publish } = setUp();
    expect(await publish({ attempts: -1 })).toMatchObject({ code: "invalid-option" });
    expect(sent).toEqual([]);
  });

  test.each([
    ["a classification that throws", { classify: broken }],
    ["a backoff that throws", { backoff: broken }],
    ["a backoff that answers no time", { backoff: () => Number.NaN }],
  ])("tells what became of the event, and of the mistake: %s", async (_, policy) => {
    const { bus, sent, publish } = setUp(refused, refused);
    const told: unknown[] = [];
    bus.onError((error, origin) => told.push([error.name, error.code, origin.transport]));
    expect(await publish(policy)).toMatchObject({ name: "EventError", code: "timeout", outcome: "failed" });
    expect([sent.length, told]).toEqual([1, [["EventError", "invalid-option", "memory"]]]);
  });
});

function broken(): never {
  throw new TypeError("a mistake of the user's");
}
