import type { ConformanceCase } from "../case.ts";
import { expectCode, expectEqual, expectSameSet } from "../expect.ts";
import { numbers, numbersIn, publishNumbers, textOf, type } from "./support.ts";

/** Where a subscription begins. */
export const replay: readonly ConformanceCase[] = [
  {
    id: "replay.earliest",
    title: "a subscription from the earliest gets what was published before it",
    needs: ["replay"],
    core: true,
    async run(context) {
      const destination = await context.destination();
      const bus = await context.bus();
      await publishNumbers(bus, destination, numbers(30));
      const got = context.recorder();
      await bus.subscribe(type, got.handler, { destination, from: "earliest", concurrency: 4 });
      await publishNumbers(bus, destination, [30, 31]);
      await got.waitFor(32);
      await context.pause(50);
      expectSameSet(numbersIn(got.data).map(String), numbers(32).map(String), "events");
    },
  },
  {
    id: "replay.new",
    title: "a subscription from now on gets nothing of what was published before it",
    core: true,
    async run(context) {
      const destination = await context.destination();
      const bus = await context.bus();
      await publishNumbers(bus, destination, [0, 1, 2]);
      const got = context.recorder();
      await bus.subscribe(type, got.handler, { destination, from: "new" });
      await publishNumbers(bus, destination, [3, 4]);
      await got.waitFor(2);
      await context.pause(100);
      expectSameSet(numbersIn(got.data).map(String), ["3", "4"], "events");
    },
  },
  {
    id: "replay.each-from-the-start",
    title: "every subscriber that is added reads all from the start",
    needs: ["replay"],
    async run(context) {
      const destination = await context.destination();
      const bus = await context.bus();
      const recorders = numbers(3).map(() => context.recorder());
      for (const [n, each] of recorders.entries()) {
        await publishNumbers(bus, destination, [n]);
        await bus.subscribe(type, each.handler, { destination, from: "earliest" });
      }
      await Promise.all(recorders.map((each) => each.waitFor(3)));
      await context.pause(50);
      for (const each of recorders) expectSameSet(numbersIn(each.data).map(String), ["0", "1", "2"], "events");
    },
  },
  {
    id: "replay.unsettled-of-nobody",
    title: "reading from the start takes nothing from a group",
    needs: ["replay", "groups"],
    core: true,
    async run(context) {
      const destination = await context.destination();
      const bus = await context.bus();
      const [reader, group] = [context.recorder(), context.recorder()];
      await publishNumbers(bus, destination, numbers(10));
      await bus.subscribe(type, reader.handler, { destination, from: "earliest" });
      await reader.waitFor(10);
      await bus.subscribe(type, group.handler, { destination, group: "later" });
      await group.waitFor(10);
      expectSameSet(numbersIn(group.data).map(String), numbers(10).map(String), "events of the group");
    },
  },
  {
    id: "replay.read",
    title: "a bounded read gives what is stored, then ends",
    needs: ["reads"],
    core: true,
    async run(context) {
      const destination = await context.destination();
      const bus = await context.bus();
      await publishNumbers(bus, destination, numbers(20));
      const found: string[] = [];
      for await (const message of bus.client.transport.read!({ destination })) {
        found.push(textOf({ message } as never));
      }
      expectSameSet(
        found,
        numbers(20).map((n) => JSON.stringify({ n })),
        "messages",
      );
      const empty: unknown[] = [];
      const nothing = await context.destination();
      for await (const message of bus.client.transport.read!({ destination: nothing })) empty.push(message);
      expectEqual(empty.length, 0, "messages of an empty destination");
    },
  },
  {
    id: "replay.refused",
    title: "starting in the past is refused where the transport keeps nothing",
    lacks: ["replay"],
    core: true,
    async run(context) {
      const destination = await context.destination();
      const bus = await context.bus();
      const work = (): unknown => bus.subscribe(type, () => undefined, { destination, from: "earliest" });
      await expectCode(work, "unsupported", "from the earliest");
    },
  },
];
