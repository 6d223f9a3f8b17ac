import { type FakeClock, fakeClock } from "waybill/testing";
import { createScheduler, type RunResult, type Scheduler } from "../../../core/delivery/scheduler.ts";
import type { Delivery } from "../../../core/transport.ts";
import { deliveryOf } from "./bare-delivery.ts";

export interface Item {
  readonly id: string;
  readonly lane: string;
  readonly key: string | undefined;
  state: "waiting" | "running" | "pausing" | "over";
  attempt: number;
  /** Not before this time may it run again. */
  dueMs: number;
  end?: (result: RunResult) => void;
}

/** Deliveries of a lane that is being revoked, the ones that may still start, and whether the call has resolved. */
export interface Revocation {
  readonly items: readonly Item[];
  readonly allowed: ReadonlySet<Item>;
  resolved: boolean;
}

export interface Harness {
  readonly clock: FakeClock;
  readonly scheduler: Scheduler;
  readonly items: readonly Item[];
  /** `a:1` for a start with its attempt, `-a` for a release. */
  readonly log: readonly string[];
  /** Rules that were broken. */
  readonly broken: readonly string[];
  readonly revocations: readonly Revocation[];
  running(): Item[];
  add(id: string, lane?: string, key?: string): void;
  revoke(lane: string): Revocation;
  /** How often the scheduler called `done`. */
  done(): number;
  /** Ends a run, with a pause before the next when one is given. */
  end(id: string, retryAfterMs?: number): Promise<void>;
  pause(value: boolean): void;
  stop(): Promise<void>;
}

/** A scheduler whose every call is checked against the rules at once. */
export function setUp(concurrency: number, byKey = true): Harness {
  const clock = fakeClock();
  const items: Item[] = [];
  const log: string[] = [];
  const broken: string[] = [];
  const revocations: Revocation[] = [];
  const lanes = new Map<string, Item[]>();
  const of = new Map<Delivery, Item>();
  let done = 0;
  let paused = false;
  let stopped = false;

  const running = (): Item[] => items.filter(({ state }) => state === "running");
  const check = (holds: boolean, rule: string): void => void (holds || broken.push(rule));

  const scheduler = createScheduler({
    clock,
    concurrency,
    byKey,
    done: () => done++,
    run(run) {
      const { delivery, attempt } = run;
      const item = of.get(delivery)!;
      log.push(`${item.id}:${attempt}`);
      check(!paused && !stopped, "nothing starts while paused or after stop");
      check(item.state === "waiting" || item.state === "pausing", `${item.id} starts from ${item.state}`);
      check(attempt === item.attempt, `${item.id} has attempt ${attempt}, not ${item.attempt}`);
      check(clock.now() >= item.dueMs, `${item.id} waits out its pause`);
      const earlier = items
        .slice(0, items.indexOf(item))
        .filter(({ lane, key }) => lane === item.lane && key === item.key);
      const waits = byKey && item.key !== undefined && earlier.some(({ state }) => state !== "over");
      check(!waits, `${item.id} overtakes its key`);
      for (const each of revocations)
        check(!each.items.includes(item) || each.allowed.has(item), `${item.id} starts after revoke`);
      item.state = "running";
      check(running().length <= concurrency, "more run than may");
      item.end = (result) => {
        item.state = result ? "pausing" : "over";
        item.dueMs = clock.now() + (result?.retryAfterMs ?? 0);
        item.attempt++;
        run.over(result);
      };
    },
  });

  function add(id: string, lane = "0", key?: string): void {
    const item: Item = { id, lane, key, state: "waiting", attempt: 1, dueMs: 0 };
    const delivery = deliveryOf(id, { lane, key }, () => {
      log.push(`-${id}`);
      check(item.state !== "over" && item.state !== "running", `${id} is released while ${item.state}`);
      item.state = "over";
    });
    of.set(delivery, item);
    items.push(item);
    if (!stopped) lanes.set(lane, [...(lanes.get(lane) ?? []), item]);
    scheduler.add(delivery);
  }
  function revoke(lane: string): Revocation {
    const going = lanes.get(lane) ?? [];
    lanes.delete(lane);
    const furthest = going.findLastIndex(({ state, attempt }) => state === "running" || attempt > 1);
    // A retry whose pause is over waits for a place like any other.
    const waits = ({ state, dueMs }: Item): boolean =>
      state === "waiting" || (state === "pausing" && dueMs <= clock.now());
    const below = going.filter((item, i) => i <= furthest && waits(item) && !paused);
    const revocation: Revocation = { items: going, allowed: new Set(below), resolved: false };
    revocations.push(revocation);
    void scheduler.revoke(lane).then(() => {
      revocation.resolved = true;
    });
    return revocation;
  }
  const find = (id: string): Item => items.find((item) => item.id === id)!;
  return {
    clock,
    scheduler,
    items,
    log,
    broken,
    revocations,
    running,
    add,
    revoke,
    done: () => done,
    end: (id: string, retryAfterMs?: number) => {
      find(id).end!(retryAfterMs === undefined ? undefined : { retryAfterMs });
      return clock.advance(0);
    },
    pause(value: boolean) {
      paused = value;
      if (value) scheduler.pause();
      else scheduler.resume();
    },
    stop() {
      stopped = true;
      return scheduler.stop();
    },
  };
}
