import type { ConformanceCase } from "../case.ts";
import { expectEqual, expectSameSet } from "../expect.ts";
import { handled, members, numbers, numbersIn, publishNumbers, type } from "./support.ts";

/** What a broken connection costs: at most repeats. */
export const outages: readonly ConformanceCase[] = [
  {
    id: "outage.publish",
    title: "a connection that breaks amid publishing loses no event that was accepted",
    needs: ["clients", "cuts"],
    async run(context) {
      const destination = await context.destination();
      const [sender, receiver] = await members(context, 2);
      const got = context.recorder();
      await receiver!.subscribe(type, got.handler, { destination, concurrency: 8 });
      const receipts: Promise<unknown>[] = [];
      for (const n of numbers(300)) {
        receipts.push(handled(sender!.publish(type, { n }, { destination })));
        if (n === 100 || n === 200) await sender!.client.cut!();
        if (n % 20 === 0) await context.pause(5);
      }
      await Promise.all(receipts);
      await got.waitFor((received) => new Set(received.map(({ event }) => event.id)).size === 300);
    },
  },
  {
    id: "outage.publish-once",
    title: "where ids are recognised, what was sent again after a break is stored once",
    needs: ["clients", "cuts", "deduplication"],
    async run(context) {
      const destination = await context.destination();
      const [sender, receiver] = await members(context, 2);
      const got = context.recorder();
      await receiver!.subscribe(type, got.handler, { destination, concurrency: 8 });
      const receipts: Promise<unknown>[] = [];
      for (const n of numbers(300)) {
        receipts.push(handled(sender!.publish(type, { n }, { destination })));
        if (n === 150) await sender!.client.cut!();
      }
      await Promise.all(receipts);
      await got.waitFor(300);
      await context.pause(200);
      expectSameSet(numbersIn(got.data).map(String), numbers(300).map(String), "events");
    },
  },
  {
    id: "outage.subscription",
    title: "a subscription goes on after its connection broke",
    needs: ["clients", "cuts"],
    async run(context) {
      const destination = await context.destination();
      const [sender, receiver] = await members(context, 2);
      const got = context.recorder();
      await receiver!.subscribe(type, got.handler, { destination });
      await sender!.publish(type, { n: 0 }, { destination });
      await got.waitFor(1);
      const states: string[] = [];
      receiver!.onStatus(({ type: state }) => states.push(state));
      await receiver!.client.cut!();
      await context.until("the connection", () => wentAndCame(states));
      // Core NATS stores nothing: what is sent while the subscription is not back yet is not for it.
      await context.until("the event", () => {
        if (got.received.length < 2) sender!.post(type, { n: 1 }, { destination });
        return got.received.length >= 2;
      });
      expectEqual(numbersIn(got.data)[1], 1, "the event after the break");
    },
  },
  {
    id: "outage.status",
    title: "a broken connection is told as a change of status, and its return as well",
    needs: ["clients", "cuts"],
    async run(context) {
      const bus = await context.bus();
      const destination = await context.destination();
      await publishNumbers(bus, destination, [0]);
      const states: string[] = [];
      bus.onStatus(({ type: state }) => states.push(state));
      await bus.client.cut!();
      await context.until("disconnected, then connected", () => wentAndCame(states));
    },
  },
];

function wentAndCame(states: readonly string[]): boolean {
  const gone = states.indexOf("disconnected");
  return gone >= 0 && states.indexOf("connected", gone) > gone;
}
