import type { ConformanceCase } from "../case.ts";
import { expectCode, expectSameSet, expectTrue } from "../expect.ts";
import {
  acknowledge,
  consumeRaw,
  counts,
  handled,
  members,
  numbers,
  numbersIn,
  publishNumbers,
  rawMessage,
  textOf,
  type,
} from "./support.ts";

/** Who gets an event: one member of each group, and everyone without a group. */
export const groups: readonly ConformanceCase[] = [
  {
    id: "groups.share",
    title: "members of a group share its events: each goes to one of them, and both get some",
    needs: ["groups"],
    core: true,
    async run(context) {
      const destination = await context.destination();
      const buses = await members(context, 2);
      const recorders = buses.map(() => context.recorder());
      for (const [n, bus] of buses.entries()) {
        await bus.subscribe(type, recorders[n]!.handler, { destination, group: "shared", concurrency: 4 });
      }
      const sender = await context.bus();
      const got = (): string[] => recorders.flatMap(({ data }) => numbersIn(data).map(String));
      // The second member's share may come a moment after it joined: rounds go on until both had some.
      const sent: string[] = [];
      for (let round = 0; round < 20 && recorders.some(({ data }) => data.length === 0); round++) {
        const wanted = numbers(40).map((n) => round * 40 + n);
        await publishNumbers(sender, destination, wanted, (n) => ({ key: `key-${n}` }));
        sent.push(...wanted.map(String));
        await context.until("every event", () => new Set(got()).size === sent.length);
      }
      expectTrue(
        recorders.every(({ data }) => data.length > 0),
        "one member got nothing",
      );
      // While members join, a share that changes hands may repeat what was not settled yet. Now both stand.
      const last = numbers(100).map((n) => 10_000 + n);
      await publishNumbers(sender, destination, last, (n) => ({ key: `key-${n}` }));
      const late = (): string[] => got().filter((each) => Number(each) >= 10_000);
      await context.until("every event", () => new Set(late()).size === 100);
      await context.settled();
      expectSameSet(late(), last.map(String), "events");
    },
  },
  {
    id: "groups.each-gets-all",
    title: "every group gets every event",
    needs: ["groups"],
    core: true,
    async run(context) {
      const destination = await context.destination();
      const bus = await context.bus();
      const recorders = [context.recorder(), context.recorder()];
      for (const [n, each] of recorders.entries()) {
        await bus.subscribe(type, each.handler, { destination, group: `group-${n}`, concurrency: 4 });
      }
      await publishNumbers(bus, destination, numbers(50));
      for (const each of recorders) {
        await each.waitFor(50);
        expectSameSet(numbersIn(each.data).map(String), numbers(50).map(String), "events");
      }
    },
  },
  {
    id: "groups.none",
    title: "without a group every subscription gets every event",
    core: true,
    async run(context) {
      const destination = await context.destination();
      const [one, other] = [await context.bus(), await context.bus()];
      const recorders = [context.recorder(), context.recorder()];
      await one.subscribe(type, recorders[0]!.handler, { destination });
      await other.subscribe(type, recorders[1]!.handler, { destination });
      await publishNumbers(one, destination, numbers(20));
      for (const each of recorders) {
        await each.waitFor(20);
        expectSameSet(numbersIn(each.data).map(String), numbers(20).map(String), "events");
      }
    },
  },
  {
    id: "groups.failover",
    title: "when a member leaves, the others get everything that follows",
    needs: ["groups"],
    core: true,
    async run(context) {
      const destination = await context.destination();
      const [leaving, staying] = await members(context, 2);
      const recorders = [context.recorder(), context.recorder()];
      const subscription = await leaving!.subscribe(type, recorders[0]!.handler, { destination, group: "failover" });
      await staying!.subscribe(type, recorders[1]!.handler, { destination, group: "failover" });
      await subscription.close();
      await publishNumbers(staying!, destination, numbers(40), (n) => ({ key: `key-${n}` }));
      await recorders[1]!.waitFor(40);
      expectSameSet(numbersIn(recorders[1]!.data).map(String), numbers(40).map(String), "events of the one that stays");
      expectTrue(recorders[0]!.data.length === 0, "the member that left got events");
    },
  },
  {
    id: "groups.join-amid",
    title: "no event is lost when members join and leave while events are published",
    needs: ["groups", "redelivery"],
    async run(context) {
      const destination = await context.destination();
      const got = context.recorder();
      const join = async (): Promise<{ close(): Promise<unknown> }> =>
        (await context.bus()).subscribe(type, got.handler, { destination, group: "moving", concurrency: 4 });
      const first = await join();
      const sender = await context.bus();
      const publishing = handled(
        (async () => {
          for (const n of numbers(200)) await sender.publish(type, { n }, { destination, key: `key-${n % 16}` });
        })(),
      );
      const second = await join();
      await first.close();
      await join();
      await second.close();
      await publishing;
      await got.waitFor((received) => new Set(received.map(({ event }) => event.id)).size === 200);
    },
  },
  {
    id: "groups.resume",
    title: "a group that comes back goes on where it stopped",
    needs: ["groups", "replay"],
    core: true,
    async run(context) {
      const destination = await context.destination();
      const sender = await context.bus();
      const [before, after] = [context.recorder(), context.recorder()];
      const [first, second] = await members(context, 2);
      const subscription = await first!.subscribe(type, before.handler, { destination, group: "resumed" });
      await publishNumbers(sender, destination, numbers(10));
      await before.waitFor(10);
      await subscription.close();
      await publishNumbers(sender, destination, [10, 11, 12]);
      await second!.subscribe(type, after.handler, { destination, group: "resumed" });
      await after.waitFor(3);
      await context.settled();
      expectSameSet(numbersIn(after.data).map(String), ["10", "11", "12"], "events after the pause");
    },
  },
  {
    id: "groups.chunks",
    title: "read in chunks by members that come and go, every event is handled",
    needs: ["groups", "replay"],
    async run(context) {
      const destination = await context.destination();
      const sender = await context.bus();
      await publishNumbers(sender, destination, numbers(60));
      const seen: string[] = [];
      for (let round = 0; round < 12 && new Set(seen).size < 60; round++) {
        const client = await context.client();
        const source = { destinations: [destination], group: "chunks" };
        const { deliveries, subscription } = await consumeRaw(client, source, 10);
        await context.until("a chunk", () => deliveries.length >= Math.min(10, 60 - new Set(seen).size));
        await acknowledge(deliveries);
        for (const delivery of deliveries) seen.push(String((JSON.parse(textOf(delivery)) as { n: number }).n));
        await subscription.close();
        // Twice: the second time nothing is left to do.
        await subscription.close();
      }
      expectSameSet([...new Set(seen)], numbers(60).map(String), "events");
    },
  },
  {
    id: "groups.one-call",
    title: "a second handler for a type in one group of a bus is refused",
    needs: ["groups"],
    core: true,
    async run(context) {
      const destination = await context.destination();
      const bus = await context.bus();
      const options = { destination, group: "twice" };
      await bus.subscribe(type, () => undefined, options);
      await expectCode(() => bus.subscribe(type, () => undefined, options), "duplicate-handler", "the second handler");
    },
  },
  {
    id: "groups.fair-start",
    title: "a group that nobody used before starts with what was published before it",
    needs: ["groups", "replay"],
    core: true,
    async run(context) {
      const destination = await context.destination();
      const { transport } = await context.client();
      await transport.publish(numbers(5).map((n) => rawMessage(destination, String(n))));
      const client = await context.client();
      const { deliveries } = await consumeRaw(client, { destinations: [destination], group: "late" }, 10);
      await context.until("the events before", () => deliveries.length === 5);
      expectTrue(
        [...counts(deliveries.map(textOf)).values()].every((count) => count === 1),
        "one came twice",
      );
      await acknowledge(deliveries);
    },
  },
];
