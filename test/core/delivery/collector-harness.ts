import { type FakeClock, fakeClock } from "waybill/testing";
import { type BatchResult, createCollector } from "../../../core/delivery/collector.ts";
import type { Scheduler } from "../../../core/delivery/scheduler.ts";
import type { Delivery } from "../../../core/transport.ts";
import { deliveryOf } from "./bare-delivery.ts";

export interface Item {
  readonly id: string;
  readonly lane: string;
  /** Lane and key; without key order the item alone. */
  readonly key: string;
  readonly addedMs: number;
  state: "waiting" | "running" | "over";
  attempt: number;
  /** Not before this time may it be collected again. */
  dueMs: number;
}

export interface Batch {
  readonly items: readonly Item[];
  end(results: readonly BatchResult[]): void;
}

export interface Revocation {
  readonly items: readonly Item[];
  resolved: boolean;
}

export interface Harness {
  readonly clock: FakeClock;
  readonly scheduler: Scheduler;
  readonly items: readonly Item[];
  /** `a b` for a batch, `a2` for a second attempt in it, `-a` for a release. */
  readonly log: readonly string[];
  /** Rules that were broken. */
  readonly broken: readonly string[];
  readonly running: readonly Batch[];
  readonly revocations: readonly Revocation[];
  add(id: string, lane?: string, key?: string): void;
  /** Ends the batch that has run longest, or the one of that number; what is not named in `retry` is done. */
  end(retry?: Readonly<Record<string, number>>, number?: number): Promise<void>;
  revoke(lane: string): Revocation;
  pause(value: boolean): void;
  stop(finish?: boolean): Promise<void>;
  /** Sets the clock that the collector reads back; its timers run on. */
  setBack(ms: number): void;
  done(): number;
  /** Notes the rules that do not hold now, with every promise settled. */
  check(): void;
}

export interface HarnessOptions {
  readonly concurrency?: number;
  readonly byKey?: boolean;
  readonly maxEvents?: number;
  readonly maxWaitMs?: number;
}

/** A collector whose every step is checked against a model that knows only what was added and how it ended. */
export function setUp({ concurrency = 1, byKey = true, maxEvents = 3, maxWaitMs = 100 }: HarnessOptions = {}): Harness {
  const clock = fakeClock();
  const items: Item[] = [];
  const log: string[] = [];
  const broken: string[] = [];
  const running: Batch[] = [];
  const revocations: Revocation[] = [];
  const of = new Map<Delivery, Item>();
  /** When the last batch with the key ended. */
  const freedMs = new Map<string, number>();
  /** Keys of which a delivery failed. */
  const failed = new Set<string>();
  const gone = new Set<Item>();
  let done = 0;
  let backMs = 0;
  let paused = false;
  /** `handing`: within the call, when what is collected may start. */
  let stopped: undefined | "handing" | "finishing" | "over";

  const rule = (holds: boolean, text: string): void => void (holds || broken.push(text));
  const head = (key: string): Item => items.find((item) => item.key === key && item.state !== "over")!;
  const open = (item: Item): boolean =>
    item.state === "waiting" &&
    head(item.key).dueMs <= clock.now() &&
    !items.some(({ key, state }) => key === item.key && state === "running");
  const sinceMs = (item: Item): number => Math.max(item.addedMs, head(item.key).dueMs, freedMs.get(item.key) ?? 0);
  const firstMs = (waiting: readonly Item[]): number => Math.min(...waiting.map(sinceMs));

  const scheduler = createCollector({
    clock: { now: () => clock.now() - backMs, after: clock.after },
    concurrency,
    byKey,
    maxEvents,
    maxWaitMs,
    done: () => done++,
    run(runs) {
      const batch = runs.map(({ delivery }) => of.get(delivery)!);
      log.push(batch.map(({ id, attempt }) => (attempt > 1 ? `${id}${attempt}` : id)).join(" "));
      const waiting = items.filter(open);
      const full = batch.length === maxEvents;
      rule(!(paused || stopped === "over"), "a batch starts while paused or after stop");
      rule(running.length < concurrency, "more batches run than may");
      rule(batch.length > 0 && batch.length <= maxEvents, `a batch of ${batch.length}`);
      // Of pauses that end in the same moment one ends first.
      const sure = waiting.filter((item) => batch.includes(item) || head(item.key).dueMs < clock.now());
      rule(full || batch.length === sure.length, "a batch leaves out what could be in it");
      rule(full || stopped !== undefined || clock.now() >= firstMs(waiting) + maxWaitMs, "a batch did not wait");
      for (const [i, item] of batch.entries()) {
        rule(waiting.includes(item), `${item.id} is in a batch before it may be`);
        rule(runs[i]!.attempt === item.attempt, `${item.id} has attempt ${runs[i]!.attempt}, not ${item.attempt}`);
        const earlier = items
          .slice(0, items.indexOf(item))
          .filter(({ key, state }) => key === item.key && state !== "over");
        rule(
          earlier.every((each) => batch.slice(0, i).includes(each)),
          `${item.id} overtakes its key`,
        );
        rule(!gone.has(item), `${item.id} starts after revoke`);
      }
      for (const item of batch) item.state = "running";
      return new Promise((resolve) => {
        running.push({ items: batch, end: (results) => resolve(results) });
      });
    },
  });

  function add(id: string, lane = "0", key?: string): void {
    const own = byKey && key !== undefined ? `${lane} ${key}` : `only ${id}`;
    const item: Item = { id, lane, key: own, addedMs: clock.now(), state: "waiting", attempt: 1, dueMs: 0 };
    const delivery = deliveryOf(id, { lane, key }, () => {
      log.push(`-${id}`);
      rule(item.state === "waiting", `${id} is released while ${item.state}`);
      item.state = "over";
    });
    of.set(delivery, item);
    items.push(item);
    scheduler.add(delivery);
  }

  function end(retry: Readonly<Record<string, number>> = {}, number = 0): Promise<void> {
    const [batch] = running.splice(number, 1);
    const again = new Set<string>();
    const results = batch!.items.map((item): BatchResult => {
      const pauseMs = retry[item.id];
      const follows = again.has(item.key);
      if (pauseMs === undefined && !follows) {
        item.state = "over";
        return undefined;
      }
      item.state = "waiting";
      if (pauseMs !== undefined) item.attempt++;
      failed.add(item.key);
      if (!follows) item.dueMs = clock.now() + pauseMs!;
      again.add(item.key);
      return pauseMs === undefined ? "follow" : { retryAfterMs: pauseMs };
    });
    for (const { key } of batch!.items) freedMs.set(key, clock.now());
    batch!.end(results);
    return clock.advance(0);
  }

  function check(): void {
    const waiting = items.filter(open);
    const free = running.length < concurrency && !paused && stopped !== "over";
    const late = waiting.length >= maxEvents || clock.now() >= firstMs(waiting) + maxWaitMs;
    rule(!free || waiting.length === 0 || !late, "a batch is due and does not start");
    const pausing = items.filter(
      (item) => item.state === "waiting" && item.dueMs > clock.now() && head(item.key) === item,
    );
    rule(clock.pending === pausing.length + Number(free && waiting.length > 0), `${clock.pending} timers`);
    rule(scheduler.held() === items.filter(({ state }) => state !== "over").length, `${scheduler.held()} are held`);
    const over = items.filter(({ state }) => state === "over").length;
    // What failed, and what is behind it, may stand aside.
    const aside = items.filter(({ key, state }) => state !== "over" && failed.has(key)).length;
    rule(done >= over && done <= over + aside, `${done} are done`);
    for (const { items: going, resolved } of revocations) {
      rule(resolved === going.every(({ state }) => state === "over"), "a revocation resolves when its lane is empty");
      rule(
        going.every(({ state }) => state !== "waiting"),
        "a revoked lane holds what has not started",
      );
    }
  }

  return {
    clock,
    scheduler,
    items,
    log,
    broken,
    running,
    revocations,
    add,
    end,
    check,
    done: () => done,
    setBack(ms) {
      backMs = ms;
    },
    revoke(lane) {
      const going = items.filter((item) => item.lane === lane && item.state !== "over" && !gone.has(item));
      for (const item of going) gone.add(item);
      const revocation: Revocation = { items: going, resolved: false };
      revocations.push(revocation);
      void scheduler.revoke(lane).then(() => {
        revocation.resolved = true;
      });
      return revocation;
    },
    pause(value) {
      paused = value;
      if (value) scheduler.pause();
      else scheduler.resume();
    },
    stop(finish = false) {
      stopped = finish ? "finishing" : "handing";
      if (finish) paused = false;
      const stopping = scheduler.stop(finish);
      if (!finish) stopped = "over";
      return stopping;
    },
  };
}
