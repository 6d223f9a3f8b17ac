import type { Clock } from "../clock.ts";
import { LinkedList } from "../linked-list.ts";
import type { Delivery } from "../transport.ts";
import { Chain } from "./chain.ts";
import { Item, type Lane } from "./scheduled.ts";

/** What became of one run of a delivery: done, or to be run again in place after a pause. */
export type RunResult = undefined | { readonly retryAfterMs: number };

/** One run of a delivery. */
export interface Run {
  readonly delivery: Delivery;
  readonly attempt: number;
  /** It has ended. To be called once, at once or later. */
  over(result: RunResult): void;
}

/** Options of {@link createScheduler}. */
export interface SchedulerOptions {
  readonly clock: Clock;
  /** Most runs at once. */
  readonly concurrency: number;
  /** Whether deliveries of one key run one after the other; others never wait for each other. */
  readonly byKey: boolean;
  /** Handles one delivery. Must not throw. */
  run(run: Run): void;
  /** One more may come: called for each delivery once, when it is over or stands aside. */
  done(): void;
}

/**
 * Most deliveries that may stand aside: a failed one that pauses and what waits behind it take no place from other
 * keys. Where everything fails, this is how much is taken beside what may be.
 */
export const maxAside = 1_000;

/** Pause after a run whose failure could not be dealt with. */
export const brokenOffMs = 5_000;

/** Runs deliveries under a limit and, by wish, one after the other per key. */
export interface Scheduler {
  add(delivery: Delivery): void;
  /**
   * The lane goes. What lies below its furthest started delivery still runs, because its commit would
   * otherwise stop at a gap and started work be done twice; the rest is released. Resolves when nothing runs.
   */
  revoke(lane: string): Promise<void>;
  /** Releases what has not started and resolves when nothing runs. With `finish` what was added still runs. */
  stop(finish?: boolean): Promise<void>;
  /** Deliveries that are not over. */
  held(): number;
  pause(): void;
  resume(): void;
  /** Starts nothing, as `pause` does, but for what {@link probe} lets through. */
  hold(): void;
  /** Lets one run through while it is held: one that waits, or the next that comes. */
  probe(): void;
  /** Undoes {@link hold}. */
  unhold(): void;
}

/** Makes a scheduler. */
export function createScheduler({ clock, concurrency, byKey, run, done }: SchedulerOptions): Scheduler {
  const lanes = new Map<string, Lane>();
  /** By the lane's name, since a lane that comes back waits for what still runs of it. */
  const allKeys = new Map<string, Lane["keys"]>();
  const ready = new Chain<Item>();
  let active = 0;
  let held = 0;
  let aside = 0;
  let arrivals = 0;
  let pumping = false;
  let paused = false;
  /** How many may run though the rest is held; undefined: nothing is held. */
  let probes: number | undefined;
  let stopping = false;
  let finishing = false;
  let idle: (() => void) | undefined;

  function add(delivery: Delivery): void {
    if (stopping && !finishing) {
      delivery.release();
      done();
      return;
    }
    const { lane: name, message } = delivery;
    const lane = lanes.get(name) ?? open(name);
    const key = byKey ? message.key : undefined;
    const before = key === undefined ? undefined : lane.keys.get(key);
    const item = new Item(delivery, lane, arrivals++, key, before, after);
    held++;
    lane.items.push(item);
    if (before) {
      before.push(item);
      if (before.failing) standAside(item);
    } else {
      if (item.behind) lane.keys.set(key!, item.behind);
      enqueue(item);
    }
  }

  /** Not while nothing is to start: then nothing more is to come either. */
  function standAside(item: Item): void {
    if (item.aside || aside >= maxAside || paused || probes !== undefined) return;
    item.aside = true;
    aside++;
    done();
  }

  function open(name: string): Lane {
    const keys = allKeys.get(name) ?? new Map();
    allKeys.set(name, keys);
    const lane: Lane = { items: new LinkedList(), keys, furthest: -1 };
    lanes.set(name, lane);
    return lane;
  }

  function enqueue(item: Item): void {
    item.state = "ready";
    ready.push(item);
    pump();
  }

  function pump(): void {
    // What is over at once pumps again, from within.
    if (pumping) return;
    pumping = true;
    try {
      while (active < concurrency && ready.first && !paused && probes !== 0) {
        const item = ready.shift()!;
        if (item.state !== "ready") continue; // released meanwhile
        if (stopping && !finishing) {
          release(item); // of a lane that was being revoked
          continue;
        }
        if (probes !== undefined) probes--;
        active++;
        item.state = "running";
        item.lane.furthest = Math.max(item.lane.furthest, item.order);
        run(item);
      }
    } finally {
      pumping = false;
    }
  }

  function after(item: Item, result: RunResult): void {
    active--;
    if (!result) finish(item);
    else if (stopping || item.lane.emptied) release(item);
    else {
      // The slot is free while it pauses; its key is not.
      item.state = "pausing";
      item.attempt++;
      item.timer = clock.after(result.retryAfterMs, () => enqueue(item));
      standAside(item);
      const { behind } = item;
      if (behind) {
        behind.failing = true;
        for (const each of behind) standAside(each);
      }
    }
    pump();
    if (active === 0) idle?.();
  }

  /** Ends an item and lets the next of its key go on. */
  function finish(item: Item): void {
    leave(item);
    const { behind } = item;
    if (!behind) return;
    const next = behind.shift();
    if (next) {
      behind.failing = false;
      enqueue(next);
    } else item.lane.keys.delete(item.key!);
  }

  function leave(item: Item): void {
    item.state = "over";
    held--;
    item.timer?.cancel();
    item.lane.items.remove(item);
    if (item.aside) aside--;
    else done();
    if (item.lane.items.size === 0) item.lane.emptied?.();
  }

  /** Gives a delivery back, and with it what waits behind it: it may not overtake. */
  function release(item: Item): void {
    const { behind } = item;
    const holds = item.state !== "behind";
    const gone = holds ? [item, ...(behind ?? [])] : [item];
    if (!holds) behind!.remove(item);
    else if (behind) item.lane.keys.delete(item.key!);
    for (const each of gone) {
      each.delivery.release();
      leave(each);
    }
  }

  function releaseWhere(lane: Lane, unwanted: (item: Item) => boolean): void {
    for (const item of [...lane.items]) {
      if (item.state !== "over" && item.state !== "running" && unwanted(item)) release(item);
    }
  }

  function revoke(name: string): Promise<void> {
    const lane = lanes.get(name);
    if (!lane) return Promise.resolve();
    lanes.delete(name); // should it come back, it comes back as another
    return new Promise((resolve) => {
      lane.emptied = resolve;
      releaseWhere(
        lane,
        (item) => paused || probes !== undefined || item.state === "pausing" || item.order > lane.furthest,
      );
      if (lane.items.size === 0) resolve();
    });
  }

  function stop(finish = false): Promise<void> {
    stopping = true;
    finishing = finish;
    paused = false;
    probes = undefined;
    for (const lane of lanes.values()) releaseWhere(lane, ({ state }) => !finish || state === "pausing");
    pump();
    return new Promise((resolve) => {
      idle = resolve;
      if (active === 0) resolve();
    });
  }

  return {
    add,
    revoke,
    stop,
    held: () => held,
    pause: () => {
      paused = true;
    },
    resume: () => {
      paused = false;
      pump();
    },
    hold: () => {
      probes = 0;
    },
    probe: () => {
      probes = 1;
      pump();
    },
    unhold: () => {
      probes = undefined;
      pump();
    },
  };
}
