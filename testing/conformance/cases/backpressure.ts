import type { ConformanceCase } from "../case.ts";
import { expectEqual, expectSameSet, expectTrue } from "../expect.ts";
import { acknowledge, consumeRaw, numbers, numbersIn, publishNumbers, rawMessage, textOf, type } from "./support.ts";

/** A consumer gets no more than it asked for. */
export const backpressure: readonly ConformanceCase[] = [
  {
    id: "backpressure.credit",
    title: "no more is delivered than credit was given, and the rest follows with more credit",
    core: true,
    async run(context) {
      const destination = await context.destination();
      const client = await context.client();
      const { deliveries, subscription } = await consumeRaw(client, { destinations: [destination] }, 0);
      await client.transport.publish(numbers(50).map((n) => rawMessage(destination, String(n))));
      await context.pause(150);
      expectEqual(deliveries.length, 0, "deliveries without credit");
      subscription.credit(5);
      await context.until("five", () => deliveries.length >= 5);
      await context.pause(150);
      expectEqual(deliveries.length, 5, "deliveries against a credit of 5");
      await acknowledge(deliveries);
      subscription.credit(45);
      await context.until("the rest", () => deliveries.length >= 50);
      expectSameSet(deliveries.map(textOf), numbers(50).map(String), "messages");
      for (const delivery of deliveries.slice(5)) await delivery.settle({ kind: "ack" });
    },
  },
  {
    id: "backpressure.concurrency",
    title: "no more handlers run at once than the subscription allows",
    core: true,
    async run(context) {
      const destination = await context.destination();
      const bus = await context.bus();
      let [running, most, handled] = [0, 0, 0];
      await bus.subscribe(
        type,
        async () => {
          most = Math.max(most, ++running);
          await context.pause(5);
          running--;
          handled++;
        },
        { destination, concurrency: 3 },
      );
      await publishNumbers(bus, destination, numbers(40), (n) => ({ key: `key-${n}` }));
      await context.until("every event", () => handled === 40);
      expectTrue(most <= 3, `${most} handlers ran at once, 3 are allowed`);
    },
  },
  {
    id: "backpressure.slow-handler",
    title: "a handler slower than the publisher gets every event, one at a time",
    async run(context) {
      const destination = await context.destination();
      const bus = await context.bus();
      const got = context.recorder();
      await bus.subscribe(
        type,
        async (event, delivery) => {
          await context.pause(1);
          got.handler(event, delivery);
        },
        { destination },
      );
      await publishNumbers(bus, destination, numbers(500));
      await got.waitFor(500);
      expectSameSet(numbersIn(got.data).map(String), numbers(500).map(String), "events");
    },
  },
  {
    id: "backpressure.lane",
    title: "a paused lane delivers nothing, resumed it goes on, and the lag is told by lane",
    core: true,
    async run(context) {
      const destination = await context.destination();
      const client = await context.client();
      const { deliveries, subscription } = await consumeRaw(client, { destinations: [destination] }, 1);
      const send = (n: number): Promise<unknown> =>
        client.transport.publish([rawMessage(destination, String(n), { key: "one-lane" })]);
      await send(0);
      await context.until("the first", () => deliveries.length === 1);
      const { lane } = deliveries[0]!;
      await acknowledge(deliveries);
      subscription.pauseLane(lane);
      subscription.credit(10);
      for (const n of [1, 2, 3]) await send(n);
      await context.pause(300);
      expectEqual(deliveries.length, 1, "deliveries while the lane is paused");
      const lanes = (await subscription.lag()).map((each) => each.lane);
      expectTrue(lanes.includes(lane), `the lag of ${lane} is not told, but of ${lanes.join(", ")}`);
      subscription.resumeLane(lane);
      await context.until("the others", () => deliveries.length === 4);
      await acknowledge(deliveries.slice(1));
    },
  },
  {
    id: "backpressure.batches",
    title: "a handler of batches gets no more at once than it allows, and every event once",
    core: true,
    async run(context) {
      const destination = await context.destination();
      const bus = await context.bus();
      const batches: number[][] = [];
      await bus.subscribe(type, (entries) => void batches.push(numbersIn(entries.map(({ event }) => event.data))), {
        destination,
        batch: { maxEvents: 10, maxWaitMs: 50 },
      });
      await publishNumbers(bus, destination, numbers(45));
      await context.until("every event", () => batches.flat().length >= 45);
      expectTrue(
        batches.every((each) => each.length <= 10),
        "a batch was too large",
      );
      expectSameSet(batches.flat().map(String), numbers(45).map(String), "events");
    },
  },
  {
    id: "backpressure.batch-partial-failure",
    title: "of a batch the event that failed comes again alone",
    needs: ["redelivery", "groups"],
    core: true,
    async run(context) {
      const destination = await context.destination();
      const bus = await context.bus();
      const seen: number[] = [];
      let failed = false;
      await bus.subscribe(
        type,
        (entries) => {
          for (const { event, delivery } of entries) {
            const { n } = event.data as { n: number };
            seen.push(n);
            if (n !== 2 || failed) continue;
            failed = true;
            delivery.fail(new Error("not yet"));
          }
        },
        { destination, group: "batches", batch: { maxEvents: 10, maxWaitMs: 50 } },
      );
      await publishNumbers(bus, destination, numbers(5), (n) => ({ key: `key-${n}` }));
      await context.until("the failed one again", () => seen.length >= 6);
      await context.pause(200);
      expectSameSet(seen.map(String), ["0", "1", "2", "2", "3", "4"], "events");
    },
  },
];
