import type { Clock, Timer } from "../clock.ts";

/** What a batcher holds of one item. */
export interface BatchItem {
  readonly bytes: number;
}

/** When a batch goes, and how much may wait. */
export interface BatchLimits {
  readonly maxEvents: number;
  readonly maxBytes: number;
  readonly lingerMs: number;
  readonly maxBuffered: number;
  readonly maxInFlight: number;
}

/** Collects items into batches. */
export interface Batcher<T extends BatchItem> {
  /** Items that wait to be sent. */
  readonly waiting: number;
  /** Whether one more would go beyond `maxBuffered`. */
  full(): boolean;
  add(item: T): void;
  /** Takes the oldest waiting item out. */
  shift(): T | undefined;
  /** Takes this item out; false when it does not wait any more. */
  remove(item: T): boolean;
  /** Sends all that waits now without waiting for more. */
  hurry(): void;
}

/**
 * Makes a batcher: a batch goes when it has `maxEvents` or `maxBytes`, or when its oldest item has waited `lingerMs`,
 * and at most `maxInFlight` are on their way. Items leave in the order in which they came. One larger than `maxBytes`
 * goes alone. A timer runs only while something waits for its time.
 *
 * @param send Sends a batch; never rejects. Called without one on its way too many.
 * @param roomMade Called whenever items left.
 */
export function createBatcher<T extends BatchItem>(
  clock: Clock,
  { maxEvents, maxBytes, lingerMs, maxBuffered, maxInFlight }: BatchLimits,
  send: (items: readonly T[]) => Promise<void>,
  roomMade: () => void,
): Batcher<T> {
  const items: T[] = [];
  /** When each item came. */
  const since: number[] = [];
  let bytes = 0;
  let inFlight = 0;
  /** So many items at the front do not wait for more. */
  let hurried = 0;
  let timer: Timer | undefined;

  function due(): boolean {
    if (items.length === 0) return false;
    if (hurried > 0 || items.length >= maxEvents || bytes >= maxBytes) return true;
    return clock.now() - since[0]! >= lingerMs;
  }

  function take(): T[] {
    let count = 0;
    let size = 0;
    while (count < items.length && count < maxEvents) {
      size += items[count]!.bytes;
      if (count > 0 && size > maxBytes) break;
      count++;
    }
    return leave(0, count);
  }

  function leave(at: number, count: number): T[] {
    const left = items.splice(at, count);
    since.splice(at, count);
    for (const item of left) bytes -= item.bytes;
    hurried = Math.max(0, hurried - Math.max(0, Math.min(count, hurried - at)));
    return left;
  }

  function pump(): void {
    while (inFlight < maxInFlight && due()) {
      inFlight++;
      void send(take()).then(() => {
        inFlight--;
        pump();
      });
      roomMade();
    }
    // Once all that may be is on its way, the next answer looks again.
    const wanted = items.length > 0 && inFlight < maxInFlight;
    if (!wanted) {
      timer?.cancel();
      timer = undefined;
    } else {
      const oldestMs = since[0]!;
      // Never longer than that, though the host's clock was set back.
      timer ??= clock.after(Math.min(lingerMs, Math.max(0, oldestMs + lingerMs - clock.now())), () => {
        timer = undefined;
        if (since[0] === oldestMs) hurried = Math.max(hurried, 1);
        pump();
      });
    }
  }

  return {
    get waiting() {
      return items.length;
    },
    full: () => items.length >= maxBuffered,
    add(item) {
      items.push(item);
      since.push(clock.now());
      bytes += item.bytes;
      pump();
    },
    shift() {
      const [first] = leave(0, 1);
      pump();
      return first;
    },
    remove(item) {
      const at = items.indexOf(item);
      if (at < 0) return false;
      leave(at, 1);
      pump();
      roomMade();
      return true;
    },
    hurry() {
      hurried = items.length;
      pump();
    },
  };
}
