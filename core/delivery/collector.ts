import type { Clock, Timer } from "../clock.ts";
import type { Delivery } from "../transport.ts";
import { brokenOffMs, maxAside, type RunResult, type Scheduler } from "./scheduler.ts";

/** One delivery of a batch that is run. */
export interface BatchRun {
  readonly delivery: Delivery;
  readonly attempt: number;
  /** Equal for deliveries that are ordered among themselves. */
  readonly key: unknown;
}

/** What became of one delivery of a batch. `follow`: it comes again behind an earlier one of its key. */
export type BatchResult = RunResult | "follow";

/** Options of {@link createCollector}. */
export interface CollectorOptions {
  readonly clock: Clock;
  /** Most batches at once. */
  readonly concurrency: number;
  /** Whether a batch waits for earlier deliveries of its keys; others never wait for each other. */
  readonly byKey: boolean;
  readonly maxEvents: number;
  readonly maxWaitMs: number;
  /** Handles one batch; answers a result for each delivery, in their order. Must not reject. */
  run(batch: readonly BatchRun[]): Promise<readonly BatchResult[]>;
  /** One more may come: called for each delivery once, when it is over or stands aside. */
  done(): void;
}

interface Item {
  readonly delivery: Delivery;
  readonly lane: Lane;
  /** The lane and key; without key order the delivery itself, which waits for nothing. */
  readonly key: unknown;
  attempt: number;
  /** `open`: in the batch that is collected. `behind`: an earlier one of its key runs or pauses. */
  state: "open" | "behind" | "running" | "pausing" | "over";
  /** Since when it is open. */
  sinceMs: number;
  /** Another has its place: it failed and pauses, or waits behind one that does. */
  aside: boolean;
  timer?: Timer;
}

interface Lane {
  readonly items: Set<Item>;
  /** Set while the lane is being revoked: called when it is empty. */
  emptied?: () => void;
}

/**
 * A scheduler that runs deliveries by batches: a batch starts when it is full or its first delivery has waited
 * long enough, and a place is free. A batch may hold several deliveries of a key, in order; later ones wait until
 * these are over. Deliveries that come again are collected anew, after their pause.
 *
 * A lane that goes releases what has not started. A stop starts what is collected at once, as far as places are free.
 */
export function createCollector(options: CollectorOptions): Scheduler {
  const { clock, concurrency, byKey, maxEvents, maxWaitMs, run, done } = options;
  const lanes = new Map<string, Lane>();
  /** For each key with a delivery that runs or pauses: what came after it. */
  const busy = new Map<unknown, Item[]>();
  /** The busy keys whose first delivery pauses. */
  const pausing = new Set<unknown>();
  /** What is collected, the longest waiting first. None of its keys is busy. */
  let open: Item[] = [];
  /** Runs while something is collected that could start. */
  let timer: Timer | undefined;
  let active = 0;
  let held = 0;
  let aside = 0;
  let paused = false;
  /** How many batches may run though the rest is held; undefined: nothing is held. */
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
    const { lane: name, message, attempt } = delivery;
    const lane = lanes.get(name) ?? { items: new Set() };
    lanes.set(name, lane);
    const key = byKey && message.key !== undefined ? `${name}\n${message.key}` : delivery;
    const behind = busy.get(key);
    const item: Item = { delivery, lane, key, attempt, state: "behind", sinceMs: 0, aside: false };
    held++;
    lane.items.add(item);
    if (behind) {
      behind.push(item);
      if (pausing.has(key)) standAside(item);
    } else {
      collect([item]);
      pump();
    }
  }

  /** What waits for its own time takes no place from others. Not while nothing is to start: then nothing is to come. */
  function standAside(item: Item): void {
    if (item.aside || aside >= maxAside || paused || probes !== undefined) return;
    item.aside = true;
    aside++;
    done();
  }

  function collect(items: readonly Item[]): void {
    const sinceMs = clock.now();
    for (const item of items) {
      if (item.state === "over") continue; // released meanwhile
      item.state = "open";
      item.sinceMs = sinceMs;
      open.push(item);
    }
  }

  function pump(waited = stopping): void {
    while (active < concurrency && !paused && probes !== 0 && open.length > 0) {
      if (!waited && open.length < maxEvents) {
        if (timer) return;
        const leftMs = open[0]!.sinceMs + maxWaitMs - clock.now();
        if (leftMs > 0) {
          // Never longer than that, though the host's clock was set back.
          timer = clock.after(Math.min(leftMs, maxWaitMs), () => pump(true));
          return;
        }
      }
      start();
      waited = stopping;
    }
    rest();
  }

  function rest(): void {
    timer?.cancel();
    timer = undefined;
  }

  function start(): void {
    rest();
    const batch = open.splice(0, maxEvents);
    for (const item of batch) {
      item.state = "running";
      if (!busy.has(item.key)) busy.set(item.key, []);
    }
    open = open.filter((item) => {
      const behind = busy.get(item.key);
      if (behind) item.state = "behind";
      behind?.push(item);
      return !behind;
    });
    if (probes !== undefined) probes--;
    active++;
    void run(batch).then(
      (results) => after(batch, results),
      // It must not; all the same no place is lost by it, nor an event.
      () =>
        after(
          batch,
          batch.map(() => ({ retryAfterMs: brokenOffMs })),
        ),
    );
  }

  function after(batch: readonly Item[], results: readonly BatchResult[]): void {
    /** What comes again of each key, with the pause before its first. */
    const again = new Map<unknown, { items: Item[]; pauseMs: number }>();
    for (const [i, item] of batch.entries()) {
      const result = results[i];
      const group = again.get(item.key) ?? { items: [], pauseMs: 0 };
      again.set(item.key, group);
      if (result && result !== "follow") {
        item.attempt++;
        if (group.items.length === 0) group.pauseMs = result.retryAfterMs;
      }
      if (!result) leave(item);
      else if (stopping || item.lane.emptied) release(item);
      else group.items.push(item);
    }
    active--;
    for (const [key, { items, pauseMs }] of again) {
      const [first, ...following] = items;
      const behind = [...following, ...busy.get(key)!];
      for (const item of following) item.state = "behind";
      if (first) pause(first, pauseMs, behind);
      else free(key, behind);
    }
    pump();
    if (active === 0) idle?.();
  }

  /** The place is free while an item pauses; its key is not. */
  function pause(item: Item, pauseMs: number, behind: Item[]): void {
    item.state = "pausing";
    busy.set(item.key, behind);
    pausing.add(item.key);
    for (const each of [item, ...behind]) standAside(each);
    item.timer = clock.after(pauseMs, () => {
      free(item.key, [item, ...busy.get(item.key)!]);
      pump();
    });
  }

  function free(key: unknown, items: readonly Item[]): void {
    busy.delete(key);
    pausing.delete(key);
    collect(items);
  }

  function leave(item: Item): void {
    item.state = "over";
    held--;
    item.timer?.cancel();
    item.lane.items.delete(item);
    if (item.aside) aside--;
    else done();
    if (item.lane.items.size === 0) item.lane.emptied?.();
  }

  function release(item: Item): void {
    item.delivery.release();
    leave(item);
  }

  /** Releases items that do not run, and with one that pauses what waits behind it: it may not overtake. */
  function giveBack(items: Iterable<Item>): void {
    const going = new Set(items);
    for (const item of going) {
      if (item.state === "pausing") {
        for (const each of busy.get(item.key)!) going.add(each);
        busy.delete(item.key);
        pausing.delete(item.key);
      }
    }
    // Before anything is told: a release may bring the next delivery at once.
    for (const item of going) if (item.state === "running" || item.state === "over") going.delete(item);
    for (const item of going) item.state = "over";
    open = open.filter(({ state }) => state !== "over");
    for (const item of going) release(item);
    pump();
  }

  function revoke(name: string): Promise<void> {
    const lane = lanes.get(name);
    if (!lane) return Promise.resolve();
    lanes.delete(name); // should it come back, it comes back as another
    return new Promise((resolve) => {
      lane.emptied = resolve;
      rest(); // perhaps the first that was collected goes
      giveBack(lane.items);
      if (lane.items.size === 0) resolve();
    });
  }

  function stop(finish = false): Promise<void> {
    stopping = true;
    finishing = finish;
    if (finish) {
      paused = false;
      probes = undefined;
    }
    pump();
    for (const { items } of lanes.values()) {
      giveBack([...items].filter(({ state }) => !finish || state === "pausing"));
    }
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
      rest();
    },
    resume: () => {
      paused = false;
      pump();
    },
    hold: () => {
      probes = 0;
      rest();
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
