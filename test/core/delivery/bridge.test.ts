import { expect, test } from "vitest";
import { createEventBus, EventError, type PublishOutcome } from "waybill";
import { createBridge } from "waybill/patterns";
import { fakeClock } from "waybill/testing";
import { handFedTransport } from "./hand-fed-transport.ts";

async function setUp(redelivery = true) {
  const clock = fakeClock();
  const [from, to] = [handFedTransport({ redelivery }), handFedTransport()];
  const source = createEventBus({ source: "/from", transports: { from: from.transport }, clock });
  const target = createEventBus({ source: "/to", transports: { to: to.transport }, clock });
  const errors: string[] = [];
  source.onError(({ code }) => void errors.push(code));
  const bridge = await createBridge({ from: { bus: source, types: "t", group: "b" }, to: { bus: target }, clock });
  return { clock, from, to, bridge, errors };
}

const stored: PublishOutcome = { stored: true, at: {} };
const refused = (retryable: boolean): PublishOutcome => {
  const error = new EventError("transport-failed", "not now", { retryable });
  return { stored: false, outcome: "failed", retrySafe: true, error };
};

test("a bridge settles an event once the target has confirmed it", async () => {
  const { clock, from, to, bridge } = await setUp();
  let confirm: () => void = () => undefined;
  to.answer = () => new Promise((resolve) => (confirm = () => resolve(stored)));
  const fed = from.feed(1);
  await clock.advance(60_000);
  expect([to.given.length, fed.verdicts, bridge.forwarded]).toEqual([1, [], 0]);
  confirm();
  await clock.advance(0);
  expect([fed.verdicts, bridge.forwarded]).toEqual([[{ kind: "ack" }], 1]);
});

test.each([true, false])(
  "what the target refused for the moment is sent again, source redelivers: %s",
  async (redelivery) => {
    const { clock, from, to, errors } = await setUp(redelivery);
    let refusals = 3;
    to.answer = async () => (refusals-- > 0 ? refused(true) : stored);
    const fed = from.feed(1);
    await clock.advance(2_999);
    // Each time the source hears that it is worked on, so that nobody else gets it.
    expect([to.given.length, fed.verdicts, fed.extended]).toEqual([3, [], 3]);
    await clock.advance(1);
    expect([to.given.length, fed.verdicts, errors]).toEqual([4, [{ kind: "ack" }], []]);
  },
);

test("what the target refused for good is reported and settled", async () => {
  const { clock, from, to, errors } = await setUp();
  to.answer = async () => refused(false);
  const fed = from.feed(1);
  await clock.advance(60_000);
  expect(to.given).toHaveLength(1);
  expect([fed.verdicts, errors]).toEqual([[{ kind: "reject", reason: "transport-failed" }], ["transport-failed"]]);
});

test("each bridge counts itself, and its copy is no repeat of the one before", async () => {
  const { clock, from, to } = await setUp();
  from.feed(1);
  from.feed(1, { extensions: { waybillhops: "1" } });
  await clock.advance(0);
  const hops = to.given.map(({ headers }) => headers[headers.indexOf("ce-waybillhops") + 1]);
  expect(hops).toEqual(["1", "2"]);
  expect(new Set(to.given.map(({ dedupId }) => dedupId)).size).toBe(2);
});
