import type { Clock } from "../../core/clock.ts";
import { EventError } from "../../core/errors.ts";
import { Fifo } from "../../core/fifo.ts";
import type { OutgoingMessage } from "../../core/message.ts";
import type { PublishOutcome } from "../../core/transport.ts";
import { takes } from "./wildcards.ts";

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

/**
 * What a full partition keeps: what groups have not settled and the newest (`new`), everything (`all`), or of each key
 * the last message (`last-of-key`).
 */
export type Kept = "new" | "all" | "last-of-key";

/** One partition of a destination: messages by offset. What falls off the front is gone. */
export class Partition {
  readonly destination: string;
  readonly index: number;
  readonly lane: string;
  /** By offset; with gaps once it was compacted. */
  #messages: Stored[] = [];
  #end = 0;

  constructor(destination: string, index: number) {
    this.destination = destination;
    this.index = index;
    this.lane = `${destination}/${index}`;
  }
  /** Offset of the oldest message kept. */
  get start(): number {
    return this.#messages[0]?.offset ?? this.#end;
  }
  /** Offset of the next message to come. */
  get end(): number {
    return this.#end;
  }
  /** Messages kept. */
  get size(): number {
    return this.#messages.length;
  }
  /** The first message at that offset or behind it. */
  from(offset: number): Stored | undefined {
    return this.#messages[this.#find(offset)];
  }
  append(message: Stored): void {
    this.#messages.push(message);
    this.#end = message.offset + 1;
  }
  trimTo(offset: number): void {
    this.#messages.splice(0, this.#find(offset));
  }
  /** Forgets what has a later message of its key. */
  compact(): void {
    const last = new Map(this.#messages.map(({ key, offset }) => [key, offset]));
    this.#messages = this.#messages.filter(({ key, offset }) => key === undefined || last.get(key) === offset);
  }

  #find(offset: number): number {
    const messages = this.#messages;
    let at = Math.max(0, Math.min(offset - this.start, messages.length));
    // Gaps bring it nearer to the front than its offset tells.
    while (at > 0 && messages[at - 1]!.offset >= offset) at--;
    return at;
  }
}

const encoder = /* @__PURE__ */ new TextEncoder();
const decoder = /* @__PURE__ */ new TextDecoder();

/** Every destination of a memory transport. Keys choose the partition, messages without key take turns. */
export class Log {
  readonly #options: LogOptions;
  readonly #topics = new Map<string, readonly Partition[]>();
  /** Where each dedup id was stored. */
  readonly #seen = new Map<string, { partition: number; offset: number }>();
  /** When, the oldest first: a map's own beginning costs more the more was removed there. */
  readonly #ages = new Fifo<{ readonly id: string; readonly atMs: number }>();
  /** What is kept of the destinations that match. */
  readonly #kept = new Map<string, Kept>();
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

  /** Says what full partitions of matching destinations keep. Throws `configuration-mismatch` where that was told otherwise. */
  retain(destination: string, kept: Kept): void {
    const before = this.#kept.get(destination) ?? kept;
    if (before !== kept) {
      const text = `memory: ${destination} keeps ${before} messages, wanted is ${kept}; nothing was changed`;
      throw new EventError("configuration-mismatch", text);
    }
    this.#kept.set(destination, kept);
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
    for (let oldest = this.#ages.peek(); oldest; oldest = this.#ages.peek()) {
      if (oldest.atMs + dedupWindowMs > now) break;
      this.#seen.delete(oldest.id);
      this.#ages.shift();
    }
    const before = dedupId === undefined ? undefined : this.#seen.get(dedupId);
    if (before) return { stored: true, at: { partition: before.partition, offset: before.offset, duplicate: true } };
    const all = this.#topics.get(destination)!;
    const partition = all[key === undefined ? this.#turn++ % all.length : hash(key) % all.length]!;
    if (partition.size >= maxMessages) {
      this.#makeRoom(partition, readers);
      if (partition.size >= maxMessages) {
        const text = `memory: ${partition.lane} holds ${maxMessages} messages that have to be kept`;
        return refused(new EventError("buffer-full", text, { retryable: true }));
      }
    }
    const offset = partition.end;
    const { index } = partition;
    partition.append({ offset, destination, partition: index, timestampMs: now, key, headers, body, replyTo });
    if (dedupId !== undefined) {
      this.#seen.set(dedupId, { partition: index, offset });
      this.#ages.push({ id: dedupId, atMs: now });
    }
    readers.arrived(partition);
    return { stored: true, at: { partition: index, offset } };
  }

  #makeRoom(partition: Partition, readers: Readers): void {
    const { maxMessages } = this.#options;
    const rule = [...this.#kept].find(([wanted]) => takes(wanted, partition.destination));
    if (rule?.[1] === "last-of-key") partition.compact();
    else if (rule?.[1] !== "all") {
      partition.trimTo(Math.min(readers.needed(partition), partition.end - maxMessages + 1));
    }
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
