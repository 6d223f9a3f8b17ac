import type { Clock } from "../../core/clock.ts";
import type { Entry, EntryRing } from "./entry-ring.ts";
import type { NatsLike } from "./nats-like.ts";

/** One PING on its way: its PONG confirms everything written before it. */
interface Probe {
  /** The sequence number after the last message it covers. */
  readonly upTo: number;
  readonly bytes: number;
}

/** What a {@link Pipeline} tells its owner. */
export interface PipelineEvents {
  /** The PONG for everything before `upTo` came. The owner calls `done` when it has dealt with it. */
  answered(upTo: number, done: () => void): void;
  /** The client dialled again: a PING was rejected. */
  lost(): void;
  /** The client refused a message. */
  refused(entry: Entry, reason: unknown): void;
}

/** Small batches get a PING of their own until so many are on their way; then one PING covers what gathers. */
const MAX_PROBES = 8;
/** A PING at least every so many bytes, so that a slow link shows progress within the stall time. */
const PROBE_BYTES = 128 * 1_024;
/** Bytes written and not confirmed, at most. Keeps a rewrite after an outage from outrunning the link. */
const WINDOW_BYTES = 4 * 1_024 * 1_024;

/**
 * Writes the entries of a ring to the client, in order, and finds out which of them the server has.
 *
 * The client drops what it holds whenever it dials, the successful time included, and rejects the PINGs of that
 * time. So everything unconfirmed is written under one and the same `connection.info` (a new object per connect):
 * then no PING can survive a dial that its messages did not.
 */
export class Pipeline {
  readonly #connection: NatsLike;
  readonly #ring: EntryRing;
  readonly #clock: Clock;
  readonly #events: PipelineEvents;
  readonly #options: { headers: { encode(): Uint8Array } };
  readonly #bare = {};
  #head: Uint8Array = new Uint8Array(0);
  #probes: Probe[] = [];
  #covered = 0;
  #uncoveredBytes = 0;
  #windowBytes = 0;
  /** Something was written since the last PING, the first of it under `#info`. */
  #uncovered = false;
  #info: unknown;
  /** The sequence number of the next entry to write. */
  sent = 0;
  /** When a PONG came last, or when the first PING after an idle time went. */
  progressMs = 0;

  constructor(connection: NatsLike, ring: EntryRing, clock: Clock, events: PipelineEvents) {
    this.#connection = connection;
    this.#ring = ring;
    this.#clock = clock;
    this.#events = events;
    // The client calls `encode` inside `publish`, so one object serves every message.
    this.#options = { headers: { encode: () => this.#head } };
  }

  /** A PING waits for its PONG. */
  get waiting(): boolean {
    return this.#probes.length > 0;
  }

  /** Writes what the window takes. */
  pump(): void {
    const ring = this.#ring;
    if (this.#info !== this.#connection.info) {
      // The client may have dialled. PINGs on their way tell, by their answer or their rejection; nothing may overtake
      // what they cover. Without a PING what was written counts as lost.
      if (this.#probes.length > 0) return;
      if (this.#uncovered) this.rewind();
    }
    this.sent = Math.max(this.sent, ring.first);
    this.#covered = Math.max(this.#covered, ring.first);
    while (this.sent < ring.next && this.#windowBytes < WINDOW_BYTES) {
      const entry = ring.at(this.sent);
      if (!entry.done) this.#write(entry);
      this.sent++;
      if (this.#uncoveredBytes >= PROBE_BYTES) this.#probe();
    }
    if (this.sent > this.#covered && this.#probes.length < MAX_PROBES) this.#probe();
  }

  /** Whatever was written and not confirmed goes back to waiting. */
  rewind(): void {
    this.#probes = [];
    this.sent = this.#covered = this.#ring.first;
    this.#uncovered = false;
    this.#uncoveredBytes = this.#windowBytes = 0;
  }

  #write(entry: Entry): void {
    if (!this.#uncovered) this.#info = this.#connection.info;
    this.#uncovered = true;
    try {
      if (entry.head === undefined) {
        this.#connection.publish(entry.subject, entry.body, this.#bare);
      } else {
        this.#head = entry.head;
        this.#connection.publish(entry.subject, entry.body, this.#options);
      }
      entry.written = true;
      this.#uncoveredBytes += entry.bytes;
      this.#windowBytes += entry.bytes;
    } catch (reason) {
      this.#events.refused(entry, reason);
    }
  }

  #probe(): void {
    if (this.#probes.length === 0) this.progressMs = this.#clock.now();
    const probe: Probe = { upTo: this.sent, bytes: this.#uncoveredBytes };
    this.#covered = this.sent;
    this.#uncovered = false;
    this.#uncoveredBytes = 0;
    this.#probes.push(probe);
    this.#connection.flush().then(
      () => this.#events.answered(probe.upTo, () => this.#confirmed(probe)),
      () => {
        if (this.#probes.includes(probe)) this.#events.lost();
      },
    );
  }

  #confirmed(probe: Probe): void {
    const at = this.#probes.indexOf(probe);
    if (at < 0) return;
    this.#probes.splice(at, 1);
    this.#windowBytes -= probe.bytes;
    this.progressMs = this.#clock.now();
  }
}
