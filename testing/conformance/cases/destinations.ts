import type { ConformanceCase } from "../case.ts";
import { expectCode, expectEqual, expectSameSet } from "../expect.ts";
import { numbers, numbersIn, publishNumbers, type } from "./support.ts";

/** Destinations, the types on them, and patterns over them. */
export const destinations: readonly ConformanceCase[] = [
  {
    id: "destinations.apart",
    title: "a subscriber of one destination gets nothing of another",
    core: true,
    async run(context) {
      const [one, other] = [await context.destination(), await context.destination()];
      const bus = await context.bus();
      const [first, second] = [context.recorder(), context.recorder()];
      await bus.subscribe(type, first.handler, { destination: one });
      await bus.subscribe(type, second.handler, { destination: other });
      await bus.publish(type, { n: 1 }, { destination: one });
      await bus.publish(type, { n: 2 }, { destination: other });
      await Promise.all([first.waitFor(1), second.waitFor(1)]);
      await context.pause(50);
      expectEqual([numbersIn(first.data), numbersIn(second.data)], [[1], [2]], "events");
    },
  },
  {
    id: "destinations.many",
    title: "ten destinations published to at once are each complete",
    async run(context) {
      const bus = await context.bus();
      const work = numbers(10).map(async (place) => {
        const destination = await context.destination();
        const got = context.recorder();
        await bus.subscribe(type, got.handler, { destination, concurrency: 4 });
        const wanted = numbers(20).map((n) => place * 100 + n);
        await publishNumbers(bus, destination, wanted);
        await got.waitFor(20);
        expectSameSet(numbersIn(got.data).map(String), wanted.map(String), `events of destination ${place}`);
      });
      await Promise.all(work);
    },
  },
  {
    id: "destinations.shared-by-types",
    title: "types that share a destination reach each their own handler",
    core: true,
    async run(context) {
      const destination = await context.destination();
      const bus = await context.bus();
      const types = ["account.opened", "account.used", "account.closed"];
      const recorders = types.map(() => context.recorder());
      for (const [n, each] of types.entries()) await bus.subscribe(each, recorders[n]!.handler, { destination });
      for (const n of numbers(9)) await bus.publish(types[n % 3]!, { n }, { destination, key: "account-1" });
      await Promise.all(recorders.map((each) => each.waitFor(3)));
      for (const [n, each] of recorders.entries()) {
        expectSameSet(numbersIn(each.data).map(String), [n, n + 3, n + 6].map(String), `events of ${types[n]}`);
      }
    },
  },
  {
    id: "destinations.pattern-of-types",
    title: "one handler takes every type that its pattern matches",
    core: true,
    async run(context) {
      const destination = await context.destination();
      const bus = await context.bus();
      const got = context.recorder();
      await bus.subscribe("account.*", got.handler, { destination });
      for (const each of ["account.opened", "account.closed", "account.limit.raised", "other.opened"]) {
        await bus.publish(each, {}, { destination });
      }
      await got.waitFor(2);
      await context.pause(100);
      const types = got.received.map(({ event }) => event.type);
      expectSameSet(types, ["account.opened", "account.closed"], "types");
    },
  },
  {
    id: "wildcards.match",
    title: "* stands for one token and > for the rest",
    needs: ["wildcards"],
    core: true,
    async run(context) {
      const base = await context.destination();
      const bus = await context.bus();
      const [one, rest] = [context.recorder(), context.recorder()];
      await bus.subscribe(type, one.handler, { destination: `${base}.*.end` });
      await bus.subscribe(type, rest.handler, { destination: `${base}.>` });
      for (const [n, tail] of ["a.end", "b.end", "a.b.end", "a"].entries()) {
        await bus.publish(type, { n }, { destination: `${base}.${tail}` });
      }
      await Promise.all([one.waitFor(2), rest.waitFor(4)]);
      await context.pause(50);
      expectSameSet(numbersIn(one.data).map(String), ["0", "1"], "events of *");
      expectSameSet(numbersIn(rest.data).map(String), ["0", "1", "2", "3"], "events of >");
    },
  },
  {
    id: "wildcards.leave-out",
    title: "patterns leave out dead letters, retries and parked events, which their literal names reach",
    needs: ["wildcards"],
    core: true,
    async run(context) {
      const base = await context.destination();
      const bus = await context.bus();
      const [pattern, literal] = [context.recorder(), context.recorder()];
      await bus.subscribe(type, pattern.handler, { destination: `${base}.>` });
      await bus.subscribe(type, literal.handler, { destination: `${base}.a.dlq` });
      for (const [n, tail] of ["a.dlq", "a.retry", "a.parked", "a"].entries()) {
        await bus.publish(type, { n }, { destination: `${base}.${tail}` });
      }
      await Promise.all([pattern.waitFor(1), literal.waitFor(1)]);
      await context.pause(50);
      expectEqual([numbersIn(pattern.data), numbersIn(literal.data)], [[3], [0]], "events");
    },
  },
  {
    id: "wildcards.refused",
    title: "a pattern of destinations is refused where the transport has none",
    lacks: ["wildcards"],
    core: true,
    async run(context) {
      const base = await context.destination();
      const bus = await context.bus();
      await expectCode(() => bus.subscribe(type, () => undefined, { destination: `${base}.*` }), "unsupported", "*");
    },
  },
];
