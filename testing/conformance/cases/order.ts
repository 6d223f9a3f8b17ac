import type { ConformanceCase } from "../case.ts";
import { expectCode, expectEqual } from "../expect.ts";
import { members, numbers, numbersIn, publishNumbers, type } from "./support.ts";

/** An event as its handler saw it. */
interface Seen {
  readonly key: string;
  readonly n: number;
}

/** Fails unless the numbers of each key came first in rising order; what came again does not count. */
function expectKeyOrder(seen: readonly Seen[]): void {
  const firsts = new Map<string, Set<number>>();
  for (const { key, n } of seen) firsts.set(key, (firsts.get(key) ?? new Set()).add(n));
  for (const [key, numbersOfKey] of firsts) {
    const list = [...numbersOfKey];
    expectEqual(
      list,
      [...list].sort((a, b) => a - b),
      `the order of ${key}`,
    );
  }
}

/** First occurrences of a key's events are handled in the order of publication, or the order is refused. */
export const order: readonly ConformanceCase[] = [
  {
    id: "order.key",
    title: "events of a key are handled in the order of publication, at any concurrency",
    needs: ["keyOrder", "groups"],
    core: true,
    async run(context) {
      const destination = await context.destination({ ordered: true });
      const buses = await members(context, 2);
      const entries: Seen[] = [];
      for (const bus of buses) {
        await bus.subscribe(
          type,
          async (event, delivery) => {
            const { n } = event.data as { n: number };
            // Some take longer than what follows them.
            if (n % 7 === 0) await context.pause(3);
            entries.push({ key: delivery.key!, n });
          },
          { destination, group: "ordered", order: "key", concurrency: 8 },
        );
      }
      const sender = await context.bus();
      await publishNumbers(sender, destination, numbers(200), (n) => ({ key: `key-${n % 10}` }));
      await context.until("every event", () => new Set(entries.map(({ n }) => n)).size === 200);
      expectKeyOrder(entries);
    },
  },
  {
    id: "order.key-by-one",
    title: "a key's events published one after the other by a publisher that waits keep their order",
    needs: ["keyOrder", "groups"],
    core: true,
    async run(context) {
      const destination = await context.destination({ ordered: true });
      const bus = await context.bus();
      const got = context.recorder();
      await bus.subscribe(type, got.handler, { destination, group: "one", order: "key", concurrency: 4 });
      for (const n of numbers(40)) await bus.publish(type, { n }, { destination, key: "only" });
      await got.waitFor(40);
      expectEqual(numbersIn(got.data), numbers(40), "the order");
    },
  },
  {
    id: "order.posts",
    title: "a key's posted events keep their order",
    needs: ["keyOrder", "groups"],
    core: true,
    async run(context) {
      const destination = await context.destination({ ordered: true });
      const bus = await context.bus();
      const got = context.recorder();
      await bus.subscribe(type, got.handler, { destination, group: "posts", order: "key", concurrency: 4 });
      for (const n of numbers(60)) bus.post(type, { n }, { destination, key: "only" });
      await got.waitFor(60);
      expectEqual(numbersIn(got.data), numbers(60), "the order");
    },
  },
  {
    id: "order.failure-holds-its-key",
    title: "an event that failed is handled again before those of its key that follow, and holds no other key's order",
    needs: ["keyOrder", "groups", "redelivery"],
    core: true,
    async run(context) {
      const destination = await context.destination({ ordered: true });
      const bus = await context.bus();
      const handled: Seen[] = [];
      let failures = 0;
      await bus.subscribe(
        type,
        (event, delivery) => {
          const { n } = event.data as { n: number };
          if (n === 3 && failures++ < 1) throw new Error("not yet");
          handled.push({ key: delivery.key!, n });
        },
        { destination, group: "failing", order: "key", concurrency: 4 },
      );
      await publishNumbers(bus, destination, numbers(20), (n) => ({ key: `key-${n % 3}` }));
      await context.until("every event", () => new Set(handled.map(({ n }) => n)).size === 20);
      expectKeyOrder(handled);
    },
  },
  {
    id: "order.refused",
    title: "order by key is refused where the transport does not keep it",
    lacks: ["keyOrder"],
    core: true,
    async run(context) {
      const destination = await context.destination();
      const bus = await context.bus();
      await expectCode(
        () => bus.subscribe(type, () => undefined, { destination, order: "key" }),
        "unsupported",
        "order",
      );
    },
  },
];
