import type { Delivery, Verdict } from "../../../core/transport.ts";
import type { ConformanceCase } from "../case.ts";
import { expectEqual, expectSameSet, expectTrue } from "../expect.ts";
import {
  acknowledge,
  consumeRaw,
  members,
  numbers,
  numbersIn,
  publishNumbers,
  rawMessage,
  textOf,
  type,
} from "./support.ts";

/** What is not acknowledged comes again, and what is, does not. */
export const redelivery: readonly ConformanceCase[] = [
  {
    id: "redelivery.failure",
    title: "a failed event comes again with the next attempt until it succeeds",
    needs: ["redelivery", "groups"],
    core: true,
    async run(context) {
      const destination = await context.destination();
      const bus = await context.bus();
      const attempts: number[] = [];
      await bus.subscribe(
        type,
        (_, { attempt }) => {
          attempts.push(attempt);
          if (attempts.length < 3) throw new Error("not yet");
        },
        { destination, group: "failing" },
      );
      await bus.publish(type, { n: 1 }, { destination });
      await context.until("the third attempt", () => attempts.length === 3);
      await context.settled();
      expectEqual(
        [attempts, bus.errors],
        [
          [1, 2, 3],
          ["handler-failed", "handler-failed"],
        ],
        "attempts and reports",
      );
    },
  },
  {
    id: "redelivery.all-fail-once",
    title: "when every event fails once, every event is handled in the end",
    needs: ["redelivery", "groups"],
    core: true,
    async run(context) {
      const destination = await context.destination();
      const bus = await context.bus();
      const failed = new Set<number>();
      const handled: number[] = [];
      await bus.subscribe(
        type,
        (event) => {
          const { n } = event.data as { n: number };
          if (!failed.has(n)) {
            failed.add(n);
            throw new Error("not yet");
          }
          handled.push(n);
        },
        { destination, group: "failing", concurrency: 16 },
      );
      await publishNumbers(bus, destination, numbers(40), (n) => ({ key: `key-${n}` }));
      await context.until("every event", () => new Set(handled).size === 40);
      expectSameSet(handled.map(String), numbers(40).map(String), "handled events");
    },
  },
  {
    id: "redelivery.others-go-on",
    title: "while one event fails, those of other keys are handled",
    needs: ["redelivery", "groups"],
    core: true,
    async run(context) {
      const destination = await context.destination();
      const bus = await context.bus();
      const handled: number[] = [];
      let healed = false;
      await bus.subscribe(
        type,
        (event) => {
          const { n } = event.data as { n: number };
          if (n === 0 && !healed) throw new Error("poison");
          handled.push(n);
        },
        { destination, group: "poisoned", concurrency: 4 },
      );
      await publishNumbers(bus, destination, numbers(30), (n) => ({ key: `key-${n}` }));
      await context.until("the healthy events", () => handled.length >= 29);
      healed = true;
      await context.until("the healed event", () => handled.includes(0));
      expectSameSet(handled.map(String), numbers(30).map(String), "handled events");
    },
  },
  {
    id: "redelivery.delay",
    title: "a retry comes after its delay, not before, with the next attempt",
    needs: ["redelivery", "delayedRedelivery", "groups"],
    core: true,
    async run(context) {
      const destination = await context.destination();
      const client = await context.client();
      const { deliveries } = await consumeRaw(client, { destinations: [destination], group: "delayed" }, 10);
      await client.transport.publish([rawMessage(destination, "late")]);
      await context.until("the delivery", () => deliveries.length === 1);
      const before = Date.now();
      await deliveries[0]!.settle({ kind: "retry", delayMs: 600 });
      await context.until("the second delivery", () => deliveries.length === 2);
      const elapsedMs = Date.now() - before;
      // Clocks of a broker and a client may differ by a little.
      expectTrue(elapsedMs >= 550, `it came after ${elapsedMs} ms`);
      expectEqual(deliveries[1]!.attempt, 2, "its attempt");
      await deliveries[1]!.settle({ kind: "ack" });
    },
  },
  {
    id: "redelivery.rejected",
    title: "what was rejected or acknowledged does not come again, also to the group's next member",
    needs: ["redelivery", "groups", "replay"],
    core: true,
    async run(context) {
      const destination = await context.destination();
      const client = await context.client();
      const source = { destinations: [destination], group: "rejecting" };
      const first = await consumeRaw(client, source, 10);
      await client.transport.publish([rawMessage(destination, "rejected"), rawMessage(destination, "acknowledged")]);
      await context.until("both", () => first.deliveries.length === 2);
      const verdict = (delivery: Delivery): Verdict =>
        textOf(delivery) === "rejected" ? { kind: "reject", reason: "bad" } : { kind: "ack" };
      await Promise.all(first.deliveries.map((delivery) => delivery.settle(verdict(delivery))));
      await first.subscription.close();
      const second = await consumeRaw(await context.client(), source, 10);
      await client.transport.publish([rawMessage(destination, "next")]);
      await context.until("the next", () => second.deliveries.length >= 1);
      await context.settled();
      expectEqual(second.deliveries.map(textOf), ["next"], "what the second member got");
      await second.deliveries[0]!.settle({ kind: "ack" });
    },
  },
  {
    id: "redelivery.first-verdict-counts",
    title: "only the first verdict on a delivery counts",
    needs: ["redelivery", "groups"],
    core: true,
    async run(context) {
      const destination = await context.destination();
      const client = await context.client();
      const { deliveries } = await consumeRaw(client, { destinations: [destination], group: "twice" }, 10);
      await client.transport.publish([rawMessage(destination, "once")]);
      await context.until("the delivery", () => deliveries.length === 1);
      await deliveries[0]!.settle({ kind: "ack" });
      await deliveries[0]!.settle({ kind: "retry", delayMs: 0 }).catch(() => undefined);
      deliveries[0]!.release();
      await context.settled();
      expectEqual(deliveries.length, 1, "deliveries");
    },
  },
  {
    id: "redelivery.after-leaving",
    title: "what a member had and did not settle when it left comes to the others",
    needs: ["redelivery", "groups", "replay"],
    core: true,
    async run(context) {
      const destination = await context.destination();
      const source = { destinations: [destination], group: "left" };
      const leaving = await consumeRaw(await context.client(), source, 10);
      const sender = await context.client();
      await sender.transport.publish(numbers(5).map((n) => rawMessage(destination, String(n))));
      await context.until("the deliveries", () => leaving.deliveries.length === 5);
      await leaving.subscription.close({ deadlineMs: 200 });
      const { deliveries } = await consumeRaw(await context.client(), source, 10);
      await context.until("all five again", () => new Set(deliveries.map(textOf)).size === 5);
      await acknowledge(deliveries);
    },
  },
  {
    id: "redelivery.late-verdict",
    title: "a verdict after its member left is void or fenced, and the next member handles the event",
    needs: ["redelivery", "groups", "replay"],
    core: true,
    async run(context) {
      const destination = await context.destination();
      const source = { destinations: [destination], group: "late" };
      const leaving = await consumeRaw(await context.client(), source, 1);
      const sender = await context.client();
      await sender.transport.publish([rawMessage(destination, "slow")]);
      await context.until("the delivery", () => leaving.deliveries.length === 1);
      await leaving.subscription.close({ deadlineMs: 100 });
      expectTrue(leaving.deliveries[0]!.signal.aborted, "the signal of the delivery is not aborted");
      const late = await leaving.deliveries[0]!.settle({ kind: "ack" }).then(
        () => "void",
        (error: { code?: string }) => String(error.code),
      );
      expectTrue(["void", "fenced", "closed"].includes(late), `the late verdict: ${late}`);
      const { deliveries } = await consumeRaw(await context.client(), source, 10);
      await context.until("the event again", () => deliveries.length === 1);
      await deliveries[0]!.settle({ kind: "ack" });
    },
  },
  {
    id: "redelivery.vanished-member",
    title: "what a member had that vanished comes to the others",
    needs: ["redelivery", "groups", "clients", "vanishes"],
    async run(context) {
      const destination = await context.destination();
      const source = { destinations: [destination], group: "vanished" };
      const lost = await context.client();
      const first = await consumeRaw(lost, source, 10);
      const sender = await context.client();
      await sender.transport.publish(numbers(5).map((n) => rawMessage(destination, String(n))));
      await context.until("the deliveries", () => first.deliveries.length === 5);
      await lost.vanish!();
      const { deliveries } = await consumeRaw(await context.client(), source, 10);
      await context.until("all five again", () => new Set(deliveries.map(textOf)).size === 5);
      expectTrue(
        deliveries.every(({ attempt }) => attempt >= 2),
        "an attempt was not counted",
      );
      await acknowledge(deliveries);
    },
  },
  {
    id: "redelivery.cut",
    title: "no event is lost when the consumer's connection breaks while handlers run",
    needs: ["redelivery", "groups", "clients", "cuts"],
    async run(context) {
      const destination = await context.destination();
      const [consumer] = await members(context, 1);
      const got = context.recorder();
      await consumer!.subscribe(
        type,
        async (event, delivery) => {
          await context.pause(2);
          got.handler(event, delivery);
        },
        { destination, group: "cut", concurrency: 4 },
      );
      const sender = await context.bus();
      await publishNumbers(sender, destination, numbers(100));
      await got.waitFor(20);
      await consumer!.client.cut!();
      await publishNumbers(sender, destination, [100, 101, 102]);
      await got.waitFor((received) => new Set(received.map(({ event }) => event.id)).size === 103);
      expectSameSet([...new Set(numbersIn(got.data).map(String))], numbers(103).map(String), "events");
    },
  },
  {
    id: "redelivery.long-handler",
    title: "an event whose handler takes longer than the others' patience does not go to another member",
    needs: ["redelivery", "groups", "clients", "vanishes"],
    async run(context) {
      const destination = await context.destination();
      const [one, other] = await members(context, 2);
      let calls = 0;
      const handler = async (): Promise<void> => {
        calls++;
        await context.pause(context.factory.vanishedAfterMs! * 2);
      };
      await one!.subscribe(type, handler, { destination, group: "long" });
      await other!.subscribe(type, handler, { destination, group: "long" });
      await one!.publish(type, { n: 1 }, { destination });
      await context.pause(context.factory.vanishedAfterMs! * 2 + 500);
      expectEqual(calls, 1, "calls of handlers");
    },
  },
];
