import type { ConformanceCase } from "../case.ts";
import { expectCode, expectEqual, expectSameSet, expectTrue } from "../expect.ts";
import { consumeRaw, members, numbers, numbersIn, publishNumbers, rawMessage, type } from "./support.ts";

/** What closing promises, of subscriptions and of the bus. */
export const closing: readonly ConformanceCase[] = [
  {
    id: "close.stops",
    title: "after its subscription is closed a handler is not called again",
    core: true,
    async run(context) {
      const destination = await context.destination();
      const bus = await context.bus();
      const [closed, open] = [context.recorder(), context.recorder()];
      const subscription = await bus.subscribe(type, closed.handler, { destination });
      await bus.subscribe(type, open.handler, { destination });
      await bus.publish(type, { n: 1 }, { destination });
      await Promise.all([closed.waitFor(1), open.waitFor(1)]);
      await subscription.close();
      await bus.publish(type, { n: 2 }, { destination });
      await open.waitFor(2);
      await context.pause(50);
      expectEqual(numbersIn(closed.data), [1], "events of the closed one");
    },
  },
  {
    id: "close.waits-for-handlers",
    title: "close waits for a handler that has not finished, settles its event and leaves nothing",
    needs: ["clients"],
    core: true,
    async run(context) {
      const destination = await context.destination();
      const bus = await context.bus();
      let [started, finished] = [false, false];
      const group = context.capabilities.groups ? { group: "draining" } : {};
      await bus.subscribe(
        type,
        async () => {
          started = true;
          await context.pause(300);
          finished = true;
        },
        { destination, ...group },
      );
      await bus.publish(type, { n: 1 }, { destination });
      await context.until("the handler", () => started);
      const report = await bus.close({ deadlineMs: 10_000 });
      expectEqual([finished, report], [true, { unsent: 0, unsettled: 0 }], "the handler and the report");
      const next = await context.bus();
      const got = context.recorder();
      await next.subscribe(type, got.handler, { destination, ...group });
      await next.publish(type, { n: 2 }, { destination });
      await got.waitFor(1);
      await context.settled();
      expectEqual(numbersIn(got.data), [2], "events of the next member");
    },
  },
  {
    id: "close.deadline",
    title: "close ends at its deadline though a handler hangs, and counts its event as unsettled",
    core: true,
    async run(context) {
      const destination = await context.destination();
      const bus = await context.bus();
      let started = false;
      let release: () => void = () => undefined;
      context.defer(() => release());
      const hanging = new Promise<void>((resolve) => {
        release = resolve;
      });
      const subscription = await bus.subscribe(
        type,
        async () => {
          started = true;
          await hanging;
        },
        { destination, ...(context.capabilities.groups ? { group: "hanging" } : {}) },
      );
      await bus.publish(type, { n: 1 }, { destination });
      await context.until("the handler", () => started);
      const before = Date.now();
      const report = await subscription.close({ deadlineMs: 300 });
      const elapsedMs = Date.now() - before;
      expectTrue(elapsedMs < 5_000, `close took ${elapsedMs} ms with a deadline of 300 ms`);
      expectEqual(report.unsettled, 1, "unsettled");
    },
  },
  {
    id: "close.transport",
    title: "a transport that is closed counts the deliveries that are not settled, and aborts their signals",
    core: true,
    async run(context) {
      const destination = await context.destination();
      const client = await context.client();
      const { deliveries } = await consumeRaw(client, { destinations: [destination] }, 5);
      await client.transport.publish([rawMessage(destination, "held")]);
      await context.until("the delivery", () => deliveries.length === 1);
      const report = await client.transport.close({ deadlineMs: 300 });
      expectEqual([report.unsettled, deliveries[0]!.signal.aborted], [1, true], "unsettled, and the signal");
    },
  },
  {
    id: "close.twice",
    title: "closing a bus twice gives the same report",
    core: true,
    async run(context) {
      const destination = await context.destination();
      const bus = await context.bus();
      await bus.subscribe(type, () => undefined, { destination });
      await bus.publish(type, { n: 1 }, { destination });
      const [first, second] = await Promise.all([bus.close(), bus.close()]);
      expectEqual([first, await bus.close()], [second, second], "reports");
    },
  },
  {
    id: "close.sends-what-was-posted",
    title: "events posted right before a close are delivered",
    needs: ["clients"],
    core: true,
    async run(context) {
      const destination = await context.destination();
      const [sender, receiver] = await members(context, 2);
      const got = context.recorder();
      await receiver!.subscribe(type, got.handler, { destination, concurrency: 8 });
      for (const n of numbers(100)) sender!.post(type, { n }, { destination });
      const report = await sender!.close();
      await got.waitFor(100);
      expectEqual(report.unsent, 0, "unsent");
      expectSameSet(numbersIn(got.data).map(String), numbers(100).map(String), "events");
    },
  },
  {
    id: "close.refuses-after",
    title: "a closed bus refuses to publish and to subscribe",
    core: true,
    async run(context) {
      const destination = await context.destination();
      const bus = await context.bus();
      await bus.close();
      await expectCode(() => bus.publish(type, {}, { destination }), "closed", "publish");
      await expectCode(() => bus.subscribe(type, () => undefined, { destination }), "closed", "subscribe");
      await expectCode(() => bus.post(type, {}, { destination }), "closed", "post");
    },
  },
  {
    id: "close.concurrent",
    title: "subscriptions that open and close at once leave the destination usable",
    async run(context) {
      const destination = await context.destination();
      const bus = await context.bus();
      const churn = numbers(10).map(async () => {
        const subscription = await bus.subscribe(type, () => undefined, { destination });
        await subscription.close();
        await subscription.close();
      });
      await Promise.all(churn);
      const got = context.recorder();
      await bus.subscribe(type, got.handler, { destination, concurrency: 4 });
      await publishNumbers(bus, destination, numbers(50));
      await got.waitFor(50);
      expectSameSet(numbersIn(got.data).map(String), numbers(50).map(String), "events");
    },
  },
  {
    id: "close.concurrent-members",
    title: "members of a group that open and close at once lose nothing of what is published after",
    needs: ["groups", "replay"],
    async run(context) {
      const destination = await context.destination();
      const buses = await members(context, 4);
      const churn = buses.map(async (bus) => {
        const subscription = await bus.subscribe(type, () => undefined, { destination, group: "churn" });
        await subscription.close();
      });
      await Promise.all(churn);
      const got = context.recorder();
      const bus = await context.bus();
      await publishNumbers(bus, destination, numbers(50));
      await bus.subscribe(type, got.handler, { destination, group: "churn", concurrency: 4 });
      await got.waitFor(50);
      expectSameSet([...new Set(numbersIn(got.data).map(String))], numbers(50).map(String), "events");
    },
  },
  {
    id: "subscribe.aborted",
    title: "a signal that is aborted already keeps a subscription from opening",
    core: true,
    async run(context) {
      const destination = await context.destination();
      const bus = await context.bus();
      const signal = AbortSignal.abort();
      await expectCode(() => bus.subscribe(type, () => undefined, { destination, signal }), "aborted", "subscribe");
    },
  },
  {
    id: "subscribe.pause",
    title: "a paused subscription starts no handler; resumed, it handles what waited",
    core: true,
    async run(context) {
      const destination = await context.destination();
      const bus = await context.bus();
      const got = context.recorder();
      const subscription = await bus.subscribe(type, got.handler, { destination });
      await bus.publish(type, { n: 0 }, { destination });
      await got.waitFor(1);
      subscription.pause();
      await publishNumbers(bus, destination, [1, 2, 3, 4, 5]);
      await context.pause(300);
      expectEqual(numbersIn(got.data), [0], "events while paused");
      subscription.resume();
      await got.waitFor(6);
      expectSameSet(numbersIn(got.data).map(String), numbers(6).map(String), "events");
    },
  },
];
