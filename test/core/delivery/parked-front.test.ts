import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isKnownUpTo, nextFront } from "../../../core/delivery/parked-front.ts";
import type { HeaderCarrier } from "../../../core/message.ts";
import type { Delivery } from "../../../core/transport.ts";

interface Message {
  /** Of the log; that of the event's first occurrence for a copy. */
  readonly position: number;
  readonly event: number;
  /** Of a copy. */
  readonly known?: string | undefined;
  readonly copy?: true;
  /** Not an event: all up to that letter was sent. */
  readonly release?: number;
}

interface Letter {
  readonly id: number;
  readonly event: number;
  readonly front: string;
  sent: boolean;
}

/** A run that has read the letters up to some place, and sends what waits of them. */
interface Run {
  readonly line: Letter[];
  readonly last: Letter;
}

const deliveryOf = ({ position, event, copy }: Message): Delivery => {
  const headers = new Map(
    copy && [
      ["waybill-redrive-count", "1"],
      ["waybill-redrive-origin-position", `${event}`],
    ],
  );
  const carrier: Partial<HeaderCarrier> = { get: (name) => headers.get(name) };
  const message = { headers: carrier, timestampMs: 1 } as Delivery["message"];
  return { message, position: `${position}` } as Partial<Delivery> as Delivery;
};

/** One key: its log, the consumer that reads it, its letters and those who redrive them. */
class ParkedKey {
  readonly handled: number[] = [];
  readonly #log: Message[] = [];
  readonly #letters: Letter[] = [];
  readonly #failures: Map<number, number>;
  #read = 0;
  #record: { readonly last: number; readonly front: string } | undefined;

  /** Events that fail, and how often. */
  constructor(failures: Map<number, number>) {
    this.#failures = failures;
  }

  get onTheWay(): number {
    return this.#log.length - this.#read;
  }

  get waiting(): number {
    return this.#letters.filter(({ sent }) => !sent).length;
  }

  publish(): void {
    this.#log.push({ position: this.#log.length, event: this.#log.length });
  }

  consume(messages: number): void {
    for (const message of this.#log.slice(this.#read, this.#read + messages)) {
      this.#read++;
      this.#take(message);
    }
  }

  #take(message: Message): void {
    if (message.release !== undefined) {
      if (this.#record?.last === message.release) this.#record = undefined;
      return;
    }
    const { event, known } = message;
    const delivery = deliveryOf(message);
    const follows = this.#record !== undefined && !isKnownUpTo(known, this.#record.front, delivery);
    const left = this.#failures.get(event) ?? 0;
    if (!follows && left === 0) {
      this.handled.push(event);
      return;
    }
    if (!follows) this.#failures.set(event, left - 1);
    const front = nextFront(this.#record?.front, delivery, !follows);
    const id = this.#letters.length;
    this.#letters.push({ id, event, front, sent: false });
    this.#record = { last: id, front };
  }

  /** Of all that are stored, or without the last of them. */
  begin(without = 0): Run | undefined {
    const seen = this.#letters.slice(0, Math.max(0, this.#letters.length - without));
    const last = seen.at(-1);
    const line = seen.filter(({ sent }) => !sent).sort((a, b) => a.event - b.event);
    return last && line.length > 0 ? { line, last } : undefined;
  }

  /** Sends the next of its letters. False: nothing is left for it. */
  send({ line, last }: Run): boolean {
    const letter = line.shift();
    // Another run has it: what lies behind it stays.
    if (!letter || letter.sent) return false;
    letter.sent = true;
    const position = this.#log.length;
    this.#log.push({ position, event: letter.event, known: last.front, copy: true });
    if (line.length === 0) this.#log.push({ position: position + 1, event: -1, release: last.id });
    return line.length > 0;
  }

  sendAll(run: Run | undefined): void {
    while (run && this.send(run));
  }

  /** Redrives until there is nothing left, each time when all is quiet. */
  drain(): void {
    for (let round = 0; round < 1_000 && this.onTheWay + this.waiting > 0; round++) {
      this.consume(this.onTheWay);
      this.sendAll(this.begin());
    }
  }

  get published(): number[] {
    return this.#log.filter(({ copy, release }) => !copy && release === undefined).map(({ event }) => event);
  }
}

const failing = fc.array(fc.tuple(fc.nat(60), fc.integer({ min: 1, max: 3 })), { maxLength: 8 });

describe("the front of a parked key", () => {
  test("lets no event overtake another, whatever runs of redrives have read and send at the same time", () => {
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.constant({ kind: "publish" } as const) },
      { weight: 6, arbitrary: fc.constant({ kind: "consume" } as const) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("begin" as const), without: fc.nat(6) }) },
      { weight: 4, arbitrary: fc.record({ kind: fc.constant("send" as const), run: fc.nat(3) }) },
    );
    fc.assert(
      fc.property(failing, fc.array(step, { maxLength: 400, size: "max" }), (failures, steps) => {
        const key = new ParkedKey(new Map(failures));
        const runs: Run[] = [];
        for (const each of steps) {
          if (each.kind === "publish") key.publish();
          else if (each.kind === "consume") key.consume(1);
          else if (each.kind === "begin") {
            const run = key.begin(each.without);
            if (run) runs.push(run);
          } else {
            const at = each.run % Math.max(1, runs.length);
            const run = runs[at];
            if (run && !key.send(run)) runs.splice(at, 1);
          }
        }
        key.drain();
        expect(key.handled).toEqual(key.published);
      }),
      { numRuns: 2_000 },
    );
  });

  test("lets redrives get on that begin while the copies of the one before are still set aside, and new events come", () => {
    const part = fc.double({ min: 0.2, max: 0.8, noNaN: true });
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 60 }), fc.integer({ min: 1, max: 3 }), part, (events, times, dealt) => {
        const key = new ParkedKey(new Map([[0, times]]));
        for (let n = 0; n < events; n++) key.publish();
        key.consume(key.onTheWay);
        for (let round = 0; round < 40; round++) {
          // Some of the copies before it are dealt with when the next reads, and the others before its own come.
          const run = key.begin();
          key.consume(key.onTheWay);
          for (let n = 0; run && key.send(run); n++) if (n % 3 === 0 && n < 40) key.publish();
          key.consume(Math.floor(key.onTheWay * dealt));
        }
        expect(key.handled.length).toBeGreaterThanOrEqual(events);
        key.drain();
        expect(key.handled).toEqual(key.published);
      }),
      { numRuns: 1_000 },
    );
  });
});
