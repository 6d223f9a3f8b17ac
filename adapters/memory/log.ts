import type { Clock } from "../../core/clock.ts";
import { EventError } from "../../core/errors.ts";
import type { OutgoingMessage } from "../../core/message.ts";
import type { PublishOutcome } from "../../core/transport.ts";

/** A message as the log keeps it. */
export interface Stored {
  readonly offset: number;
  readonly destination: string;
  readonly partition: number;
  readonly timestampMs: number;
  readonly key: string | undefined;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Uint8Array | null;
  readonly replyTo: string | undefined;
}

/** What the log refuses and forgets. */
export interface LogOptions {
  readonly clock: Clock;
  readonly partitions: number;
  readonly maxMessages: number;
  readonly maxMessageBytes: number;
  readonly dedupWindowMs: number;
}

/** Those who read partitions. */
export interface Readers {
  /** The lowest offset of a partition that somebody still needs. */
  needed(partition: Partition): number;
  /** A message came. */
  arrived(partition: Partition): void;
}

/** One partition of a destination: messages by offset. What falls off the front is gone. */
export class Partition {
  readonly destination: string;
  readonly index: number;
  readonly lane: string;
  #messages: Stored[] = [];
  #first = 0;

  constructor(destination: string, index: number) {
    this.destination = destination;
    this.index = index;
    this.lane = `${destination}/${index}`;
  }
  /** Offset of the oldest message kept. */
  get start(): number {
    return this.#first;
  }
  /** Offset of the next message to come. */
  get end(): number {
    return this.#first + this.#messages.length;
  }
  at(offset: number): Stored | undefined {
    return this.#messages[offset - this.#first];
  }
  append(message: Stored): void {
    this.#messages.push(message);
  }
  trimTo(offset: number): void {
    const gone = this.#messages.splice(0, offset - this.#first);
    this.#first += gone.length;
  }
}

/** Where replies go: one destination per request, which only that request reads. */
export const inboxPrefix = "_INBOX.";

const encoder = /* @__PURE__ */ new TextEncoder();
const decoder = /* @__PURE__ */ new TextDecoder();

/** Every destination of a memory transport. Keys choose the partition, messages without key take turns. */
export class Log {
  readonly #options: LogOptions;
  readonly #topics = new Map<string, readonly Partition[]>();
  /** When each dedup id was stored, oldest first. */
  readonly #seen = new Map<string, { atMs: number; partition: number; offset: number }>();
  #turn = 0;

  constructor(options: LogOptions) {
    this.#options = options;
  }

  /** The partitions of every destination that exists. */
  *partitions(): Iterable<Partition> {
    for (const partitions of this.#topics.values()) yield* partitions;
  }

  /** The partitions of a destination, which this makes. Answers whether it is new. */
  ensure(destination: string): boolean {
    if (this.#topics.has(destination)) return false;
    const { partitions } = this.#options;
    this.#topics.set(
      destination,
      Array.from({ length: partitions }, (_, index) => new Partition(destination, index)),
    );
    return true;
  }

  has(destination: string): boolean {
    return this.#topics.has(destination);
  }

  /** Forgets a destination, as a request does with its inbox. */
  remove(destination: string): void {
    this.#topics.delete(destination);
  }

  /**
   * Stores one message and tells its readers. A partition that is full of messages which they still need refuses more.
   */
  append(message: OutgoingMessage, replyTo: string | undefined, readers: Readers): PublishOutcome {
    const { clock, dedupWindowMs, maxMessageBytes, maxMessages } = this.#options;
    const { destination, key, dedupId } = message;
    const body = typeof message.body === "string" ? encoder.encode(message.body) : (message.body?.slice() ?? null);
    const headers = pairs(message);
    const size = headers.reduce((sum, [name, value]) => sum + name.length + value.length, body?.length ?? 0);
    if (size > maxMessageBytes) {
      return refused(new EventError("too-large", `memory: ${size} bytes, ${maxMessageBytes} are allowed`));
    }
    const now = clock.now();
    for (const [id, { atMs }] of this.#seen) {
      if (atMs + dedupWindowMs > now) break;
      this.#seen.delete(id);
    }
    const before = dedupId === undefined ? undefined : this.#seen.get(dedupId);
    if (before) return { stored: true, at: { partition: before.partition, offset: before.offset, duplicate: true } };
    const all = this.#topics.get(destination)!;
    const partition = all[key === undefined ? this.#turn++ % all.length : hash(key) % all.length]!;
    if (partition.end - partition.start >= maxMessages) {
      partition.trimTo(Math.min(readers.needed(partition), partition.end - maxMessages + 1));
      if (partition.end - partition.start >= maxMessages) {
        const text = `memory: ${partition.lane} holds ${maxMessages} messages that a group has not settled`;
        return refused(new EventError("buffer-full", text, { retryable: true }));
      }
    }
    const offset = partition.end;
    const { index } = partition;
    partition.append({ offset, destination, partition: index, timestampMs: now, key, headers, body, replyTo });
    if (dedupId !== undefined) this.#seen.set(dedupId, { atMs: now, partition: index, offset });
    readers.arrived(partition);
    return { stored: true, at: { partition: index, offset } };
  }
}

function refused(error: EventError): PublishOutcome {
  return { stored: false, outcome: "failed", retrySafe: true, error };
}

function pairs({ headers }: OutgoingMessage): [string, string][] {
  const found: [string, string][] = [];
  for (let i = 0; i < headers.length; i += 2) found.push([text(headers[i]!), text(headers[i + 1]!)]);
  return found;
}

function text(value: string | Uint8Array): string {
  return typeof value === "string" ? value : decoder.decode(value);
}

/** FNV-1a, 32 bits. */
function hash(key: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) value = Math.imul(value ^ key.charCodeAt(i), 0x01000193);
  return value >>> 0;
}
