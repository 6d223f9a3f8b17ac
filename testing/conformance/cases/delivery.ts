import { memoryIdempotency } from "../../../adapters/memory/idempotency.ts";
import type { DeadLetterQueue, Letter } from "../../../core/dead-letter/index.ts";
import { fixedBackoff } from "../../../core/delivery/backoff.ts";
import type { EventError } from "../../../core/errors.ts";
import type { ConformanceCase, ConformanceContext, TestBus } from "../case.ts";
import { expectEqual, expectSameSet } from "../expect.ts";
import { numbers, publishNumbers, rawMessage, type } from "./support.ts";

const backoff = fixedBackoff(20);
const failing = { retry: { attempts: 2, backoff } };

/** The letters of a destination. Loaded here: most who run the suite have no use for it elsewhere. */
async function lettersOf(bus: TestBus, destination: string): Promise<DeadLetterQueue> {
  const { createDeadLetterQueue } = await import("../../../core/dead-letter/index.ts");
  return createDeadLetterQueue({ bus, destination });
}

async function listed(letters: DeadLetterQueue): Promise<Letter[]> {
  const found: Letter[] = [];
  for await (const letter of letters.list()) found.push(letter);
  return found;
}

/** Waits until so many letters wait. */
async function untilListed(context: ConformanceContext, letters: DeadLetterQueue, count: number): Promise<Letter[]> {
  for (const untilMs = Date.now() + context.patienceMs; ; ) {
    const found = await listed(letters);
    if (found.length >= count || Date.now() > untilMs) {
      expectEqual(found.length, count, "letters");
      return found;
    }
    await context.pause(50);
  }
}

/** Attempts, dead letters and effects once: promises of the core that hold on every transport. */
export const delivery: readonly ConformanceCase[] = [
  {
    id: "delivery.attempts",
    title: "an event that fails is handled as often as its policy allows, and no more",
    needs: ["groups"],
    core: true,
    async run(context) {
      const destination = await context.destination();
      const bus = await context.bus();
      const attempts: number[] = [];
      await bus.subscribe(
        type,
        (_, { attempt }) => {
          attempts.push(attempt);
          throw new Error("never");
        },
        { destination, group: "policy", deadLetter: false, retry: { attempts: 3, backoff } },
      );
      await bus.publish(type, { n: 1 }, { destination });
      await context.until("the third attempt", () => attempts.length === 3);
      await context.settled();
      expectEqual(attempts, [1, 2, 3], "attempts");
    },
  },
  {
    id: "delivery.retry-after",
    title: "a handler that asks for another attempt gets it after its own wait",
    needs: ["groups"],
    async run(context) {
      const destination = await context.destination();
      const bus = await context.bus();
      const times: number[] = [];
      await bus.subscribe(
        type,
        (_, delivery) => {
          times.push(Date.now());
          if (times.length === 1) delivery.retryAfter(400);
        },
        { destination, group: "asking", deadLetter: false, ...failing },
      );
      await bus.publish(type, { n: 1 }, { destination });
      await context.until("the second attempt", () => times.length === 2);
      // Clocks of a broker and a client may differ by a little.
      expectEqual(times[1]! - times[0]! >= 350, true, "waited");
    },
  },
  {
    id: "delivery.timeout",
    title: "a handler that hangs has failed when its time is over, and the next event is handled",
    needs: ["groups"],
    core: true,
    async run(context) {
      const destination = await context.destination({ ordered: true });
      const bus = await context.bus();
      const handled: number[] = [];
      await bus.subscribe(
        type,
        (event) => {
          const { n } = event.data as { n: number };
          if (n === 0) return new Promise(() => undefined);
          handled.push(n);
          return undefined;
        },
        { destination, group: "hanging", deadLetter: false, retry: { attempts: 1, timeoutMs: 200 } },
      );
      await publishNumbers(bus, destination, [0, 1], () => ({ key: "one" }));
      await context.until("the next event", () => handled.length === 1);
      await context.until("the report", () => bus.errors.includes("timeout"));
    },
  },
  {
    id: "delivery.once",
    title: "an event that is published twice is handled once where its claims are kept",
    needs: ["groups"],
    core: true,
    async run(context) {
      const destination = await context.destination();
      const bus = await context.bus();
      const handled: string[] = [];
      const idempotency = { store: memoryIdempotency() };
      await bus.subscribe(type, (event) => void handled.push(event.id), { destination, group: "once", idempotency });
      for (const id of ["a", "a", "b"]) await bus.publish(type, { n: 1 }, { destination, id });
      await context.until("the last event", () => handled.includes("b"));
      await context.settled();
      expectEqual(handled.sort(), ["a", "b"], "handled events");
    },
  },
  {
    id: "delivery.letter",
    title: "what is given up is listed once, with its bytes, its error and its attempts; the rest is handled",
    needs: ["letters", "groups"],
    core: true,
    async run(context) {
      const destination = await context.destination();
      const bus = await context.bus();
      const handled: number[] = [];
      await bus.subscribe(
        type,
        (event) => {
          const { n } = event.data as { n: number };
          if (n % 5 === 0) throw new TypeError(`no ${n}`);
          handled.push(n);
        },
        { destination, group: "letters", concurrency: 4, deadLetter: true, ...failing },
      );
      await publishNumbers(bus, destination, numbers(20), (n) => ({ id: `e-${n}`, key: `key-${n}` }));
      await context.until("the healthy events", () => handled.length === 16);
      const found = await untilListed(context, await lettersOf(bus, destination), 4);
      expectSameSet(
        found.map(({ event, error, attempts, group }) => `${event?.id} ${error.message} ${attempts} ${group}`),
        [0, 5, 10, 15].map((n) => `e-${n} no ${n} 2 letters`),
        "letters",
      );
      expectEqual(new TextDecoder().decode(found[0]!.raw.body!), JSON.stringify(found[0]!.event!.data), "the bytes");
      expectEqual([found[0]!.error.type, found[0]!.origin.destination], ["TypeError", destination], "error and origin");
    },
  },
  {
    id: "delivery.unreadable-letter",
    title: "a message that is no event is set aside at once, with its bytes",
    needs: ["letters", "groups"],
    async run(context) {
      const destination = await context.destination();
      const bus = await context.bus();
      await bus.subscribe(type, () => undefined, { destination, group: "letters", deadLetter: true, ...failing });
      await bus.client.transport.publish([rawMessage(destination, "no event")]);
      const [letter] = await untilListed(context, await lettersOf(bus, destination), 1);
      expectEqual(
        [letter!.reason, letter!.event, new TextDecoder().decode(letter!.raw.body!)],
        ["unreadable", undefined, "no event"],
        "the letter",
      );
    },
  },
  {
    id: "delivery.redrive",
    title: "a redrive gives the event to the group that failed, once; a second one changes nothing",
    needs: ["letters", "groups"],
    core: true,
    async run(context) {
      const destination = await context.destination();
      const bus = await context.bus();
      const handled: string[] = [];
      let broken = true;
      for (const group of ["failing", "healthy"]) {
        await bus.subscribe(
          type,
          (event) => {
            if (broken && group === "failing") throw new Error("not yet");
            handled.push(`${group} ${event.id}`);
          },
          { destination, group, deadLetter: true, ...failing },
        );
      }
      await bus.publish(type, { n: 1 }, { destination, id: "e-1", key: "k" });
      const letters = await lettersOf(bus, destination);
      await untilListed(context, letters, 1);
      broken = false;
      expectEqual((await letters.redrive()).redriven, 1, "redriven");
      await context.until("the failed group's event", () => handled.includes("failing e-1"));
      expectEqual((await letters.redrive()).redriven, 0, "redriven again");
      await context.settled();
      expectEqual([handled.sort(), (await listed(letters)).length], [["failing e-1", "healthy e-1"], 0], "handled");
    },
  },
  {
    id: "delivery.park",
    title: "with parked keys what follows a failed event is redriven after it, in order",
    needs: ["letters", "groups", "keyOrder"],
    async run(context) {
      const destination = await context.destination({ ordered: true });
      const bus = await context.bus();
      const handled: number[] = [];
      let broken = true;
      await bus.subscribe(
        type,
        (event) => {
          const { n } = event.data as { n: number };
          if (broken && n === 0) throw new Error("not yet");
          handled.push(n);
        },
        { destination, group: "parking", order: "key", deadLetter: { onKey: "park" }, ...failing },
      );
      await publishNumbers(bus, destination, numbers(5), () => ({ key: "one" }));
      const letters = await lettersOf(bus, destination);
      await untilListed(context, letters, 5);
      broken = false;
      await letters.redrive();
      await context.until("all in order", () => handled.length === 5);
      await bus.publish(type, { n: 5 }, { destination, key: "one" });
      await context.until("the next", () => handled.length === 6);
      expectEqual(handled, numbers(6), "handled events");
    },
  },
  {
    id: "delivery.no-letters",
    title: "dead letters where nothing is kept are refused with unsupported",
    needs: ["groups"],
    lacks: ["letters"],
    core: true,
    async run(context) {
      const destination = await context.destination();
      const bus = await context.bus();
      const refused = await bus
        .subscribe(type, () => undefined, { destination, group: "letters", deadLetter: true })
        .then(
          () => "taken",
          (error: EventError) => error.code,
        );
      expectEqual(refused, "unsupported", "the subscription");
    },
  },
];
