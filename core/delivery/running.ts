import type { Clock, Timer } from "../clock.ts";
import { type Linked, LinkedList } from "../linked-list.ts";

/** Options of {@link createRunning}. */
export interface RunningOptions<T extends Linked<T>> {
  readonly clock: Clock;
  /** When to look next, in milliseconds from now; `first` has run longest. */
  waitMs(first: T): number;
  /** The time has come. May end items. */
  look(items: LinkedList<T>): void;
}

/** What runs, with one timer for all of it: setting one for each would cost more than all the rest. */
export interface Running<T> {
  start(item: T): void;
  /** Nothing when it has ended before. */
  end(item: T): void;
  /** From now on no timer is kept for what is to come; what runs is still looked at. */
  stop(): void;
}

/** Makes a set of what runs. What ends in time leaves its timer to the next. */
export function createRunning<T extends Linked<T>>({ clock, waitMs, look }: RunningOptions<T>): Running<T> {
  const items = new LinkedList<T>();
  let timer: Timer | undefined;
  let stopped = false;

  function watch(): void {
    if (items.first) timer ??= clock.after(waitMs(items.first), due);
  }

  function due(): void {
    timer = undefined;
    look(items);
    watch();
  }

  function rest(): void {
    if (items.first) return;
    timer?.cancel();
    timer = undefined;
  }

  return {
    start(item) {
      items.push(item);
      if (!timer) watch();
    },
    end(item) {
      items.remove(item);
      if (stopped) rest();
    },
    stop() {
      stopped = true;
      rest();
    },
  };
}
