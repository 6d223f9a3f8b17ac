import { expect, test } from "vitest";
import { fixedBackoff } from "waybill";
import { createDeadLetterQueue } from "waybill/dead-letter";
import { openBus, type Place, publishAll } from "./places.ts";
import { lettersOf, numberOf } from "./poison-run.ts";
import { report, seeded, sized, until } from "./support/chaos.ts";

const group = "billing";
const keys = sized(20, 200);
/** Each that fails when it is redriven sets all that follows of its key aside once more. */
const perKey = 50;
const total = keys * perKey;
const poison = total / 20;
const attempts = 2;
/** One in so many fails again when it is redriven. */
const doubleOf = sized(10, 50);
/** Between two redrives. */
const roundMs = sized(50, 1_000);

/** Event `n` is the one with this number of its key. */
const keyOf = (n: number): string => `key-${n % keys}`;

/** What a place has to show with `onKey: "park"`: each key's events are handled in order through redrives. */
export function parkedCase(place: () => Place): void {
  test(`${poison} of ${total} fail with onKey "park": each key keeps its order while it is redriven and new events come`, async () => {
    const { integer } = seeded(`parked keys on ${place().name}`);
    const destination = await place().destination("parked");
    const { bus, errors } = await openBus(place());
    /** How often each has still to fail: some fail again when they are redriven. */
    const failures = new Map<number, number>();
    while (failures.size < poison) failures.set(integer(total), integer(doubleOf) === 0 ? 2 * attempts : attempts);
    const calls = new Map<number, number>();
    const handled: number[] = [];
    await bus.subscribe(
      "order.placed",
      (event) => {
        const { n } = event.data as { n: number };
        calls.set(n, (calls.get(n) ?? 0) + 1);
        const left = failures.get(n) ?? 0;
        if (left > 0) {
          failures.set(n, left - 1);
          throw new Error("poison");
        }
        handled.push(n);
      },
      {
        ...{ destination, group, concurrency: 16, order: "key", retry: { attempts, backoff: fixedBackoff(5) } },
        deadLetter: { onKey: "park" },
      },
    );
    const letters = await createDeadLetterQueue({ bus, destination });
    const publish = async (from: number, to: number): Promise<void> => {
      for (let n = from; n < to; n += keys) {
        const items = Array.from({ length: Math.min(keys, to - n) }, (_, i) => n + i);
        await publishAll(
          bus,
          items.map((each) => ({ type: "order.placed", data: { n: each }, key: keyOf(each), destination })),
        );
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    };
    await publish(0, total / 2);
    let waiting = 0;
    await until(
      "the first half is handled or set aside",
      async () => {
        waiting = (await lettersOf(letters)).length;
        return handled.length + waiting === total / 2;
      },
      300_000,
    );
    let published = false;
    const publishing = publish(total / 2, total).then(() => {
      published = true;
    });
    let redriven = 0;
    let rounds = 0;
    await until(
      "redrives drain the letters",
      async () => {
        // A run reads every letter there is: one after the other would leave little time for the events.
        if (rounds++ > 0) await new Promise((resolve) => setTimeout(resolve, roundMs));
        const before = published;
        const done = await letters.redrive();
        expect(done.failures).toEqual([]);
        redriven += done.redriven;
        return before && handled.length === total && (await lettersOf(letters)).length === 0;
      },
      900_000,
    );
    await publishing;
    for (let key = 0; key < keys; key++) {
      const own = handled.filter((n) => n % keys === key);
      expect(own).toEqual(Array.from({ length: perKey }, (_, n) => n * keys + key));
    }
    const all = await lettersOf(letters, { status: "redriven" });
    const parked = all.filter(({ reason }) => reason === "parked");
    // Only what failed was tried more than once: what followed it was never handed to the handler before its turn.
    for (const n of new Set(parked.map(numberOf))) if (!failures.has(n)) expect([n, calls.get(n)]).toEqual([n, 1]);
    expect(all.length).toBe(redriven);
    expect(await letters.redrive()).toMatchObject({ matched: 0, redriven: 0 });
    expect(errors).toEqual([]);
    report(1, `${place().name}, parked keys`, {
      ...{ events: total, poison, "letters of what followed": parked.length, "redrives until empty": rounds },
      "events out of the order of their key": 0,
    });
    await bus.close();
  });
}
