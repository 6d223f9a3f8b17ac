import type { Clock, Timer } from "../../core/clock.ts";
import { EventError } from "../../core/errors.ts";
import { breakSocket } from "./break-socket.ts";
import { Denials } from "./denials.ts";
import { type Entry, EntryRing } from "./entry-ring.ts";
import { type Denial, denied, natsError } from "./errors.ts";
import type { Link } from "./link.ts";
import { Milestones } from "./milestones.ts";
import type { NatsLike } from "./nats-like.ts";
import type { BufferLimits } from "./options.ts";
import { Pipeline } from "./pipeline.ts";
import { notStored } from "./publish-call.ts";

const NOTHING = new Uint8Array(0);

/** Keeps every accepted message until a PONG confirms it, within the limits of the buffer. */
export class Outbox {
  readonly #connection: NatsLike;
  readonly #limits: BufferLimits;
  readonly #clock: Clock;
  readonly #ring = new EntryRing();
  readonly #pipeline: Pipeline;
  readonly #denials = new Denials();
  readonly #milestones = new Milestones();
  #link!: Link;
  #scheduled = false;
  #stalled = false;
  #nowMs = 0;
  #timer: Timer | undefined;
  /** Messages that wait for a confirmation. */
  events = 0;
  /** Their bytes. */
  bytes = 0;

  constructor(connection: NatsLike, limits: BufferLimits, clock: Clock) {
    this.#connection = connection;
    this.#limits = limits;
    this.#clock = clock;
    this.#pipeline = new Pipeline(connection, this.#ring, clock, {
      answered: (upTo, done) => this.#link.afterStatuses(() => this.#confirm(upTo, done)),
      lost: () => {
        this.#pipeline.rewind();
        this.#link.lost();
      },
      refused: (entry, reason) => this.#drop(entry, natsError(reason, `publish to ${entry.subject}`)),
    });
  }

  /** The link this follows: each needs the other. */
  attach(link: Link): void {
    this.#link = link;
  }

  /** When the current batch was accepted: the clock is read once per turn. */
  nowMs(): number {
    if (!this.#scheduled) this.#nowMs = this.#clock.now();
    return this.#nowMs;
  }

  /** Takes an entry, or refuses it when the buffer is full. */
  accept(entry: Entry): boolean {
    const { maxEvents, maxBytes } = this.#limits;
    if (this.#ring.next - this.#ring.first >= maxEvents || this.bytes + entry.bytes > maxBytes) return false;
    this.#ring.push(entry);
    this.events++;
    this.bytes += entry.bytes;
    if (!this.#scheduled) {
      this.#scheduled = true;
      queueMicrotask(this.#turn);
    }
    return true;
  }

  /** Settles an entry before its time: its caller gave up. */
  abandon(entry: Entry, error: EventError): void {
    if (!entry.done) this.#drop(entry, error);
  }

  /** Calls `done` when everything accepted so far is settled. Returns what takes the waiter away again. */
  whenSettled(done: () => void): () => void {
    const leave = this.#milestones.add(this.#ring.next, done);
    this.#notify();
    return leave;
  }

  /** The connection is back: everything unconfirmed goes again, before anything new. */
  up(): void {
    this.#stalled = false;
    this.#pipeline.progressMs = this.#clock.now();
    this.#pump();
  }

  /**
   * The connection is gone. What was written goes back to waiting when its PING is rejected, not now: the client may
   * have dialled already, and then it still sends what was written since.
   */
  down(): void {
    this.#stalled = false;
  }

  /** The server refused a publish: every message to that subject written so far is certainly not stored. */
  refuse(denial: Denial): void {
    this.#denials.add(denial, this.#pipeline.sent);
  }

  /** Settles everything that is left and returns how many that were. */
  dispose(cause?: unknown): number {
    const left = this.events;
    while (this.#ring.first < this.#ring.next) {
      const entry = this.#ring.shift();
      if (!entry.done) {
        this.#drop(entry, new EventError("closed", "nats: closed before the message was confirmed", { cause }));
      }
    }
    this.#pipeline.rewind();
    this.#arm();
    this.#notify();
    return left;
  }

  readonly #turn = (): void => {
    this.#scheduled = false;
    this.#pump();
  };

  #pump(): void {
    if (this.#link.state === "connected" && !this.#stalled) this.#pipeline.pump();
    this.#arm();
  }

  #confirm(upTo: number, done: () => void): void {
    const ring = this.#ring;
    while (ring.first < upTo) {
      const sequence = ring.first;
      const entry = ring.shift();
      if (entry.done) continue;
      const denial = this.#denials.find(entry.subject, sequence);
      if (denial === undefined) this.#store(entry);
      else this.#fail(entry, denied(denial), "failed");
    }
    this.#denials.forget(ring.first);
    done();
    this.#stalled = false;
    this.#notify();
    this.#pump();
  }

  #store(entry: Entry): void {
    entry.done = true;
    this.events--;
    this.bytes -= entry.bytes;
    entry.call?.stored(entry.index);
  }

  #drop(entry: Entry, error: EventError): void {
    this.#fail(entry, error, entry.written ? "unknown" : "failed");
  }

  #fail(entry: Entry, error: EventError, outcome: "failed" | "unknown"): void {
    entry.done = true;
    entry.body = NOTHING;
    this.events--;
    this.bytes -= entry.bytes;
    if (entry.call === undefined) this.#link.emit({ type: "error", error });
    else entry.call.settle(entry.index, notStored(error, outcome));
  }

  #notify(): void {
    this.#milestones.pass(this.#ring.first);
  }

  /** One timer while anything waits: the age of the oldest and the patience with a PING both hang on it. */
  #arm(): void {
    if (this.#ring.first === this.#ring.next) {
      this.#timer?.cancel();
      this.#timer = undefined;
      return;
    }
    if (this.#timer !== undefined) return;
    const now = this.#clock.now();
    const { maxAgeMs, stallMs } = this.#limits;
    const toExpiry = this.#ring.at(this.#ring.first).atMs + maxAgeMs - now;
    const toStall = this.#pipeline.waiting ? this.#pipeline.progressMs + stallMs - now : stallMs;
    this.#timer = this.#clock.after(Math.max(1, Math.min(toExpiry, toStall)), () => {
      this.#timer = undefined;
      this.#expire();
      this.#watch();
      this.#pump();
    });
  }

  #expire(): void {
    const oldest = this.#clock.now() - this.#limits.maxAgeMs;
    while (this.#ring.first < this.#ring.next && this.#ring.at(this.#ring.first).atMs <= oldest) {
      const entry = this.#ring.shift();
      if (entry.done) continue;
      const text = `nats: no server confirmed the message within ${this.#limits.maxAgeMs} ms`;
      this.#drop(entry, new EventError("buffer-expired", text, { retryable: true }));
    }
    this.#notify();
  }

  /** Connected, so the client says, and no answer: a half-open socket. Alone it would notice at its pings only. */
  #watch(): void {
    const now = this.#clock.now();
    if (this.#link.state !== "connected" || !this.#pipeline.waiting) return;
    if (now - this.#pipeline.progressMs < this.#limits.stallMs) return;
    this.#pipeline.progressMs = now;
    this.#link.emit({ type: "stale" });
    if (this.#connection.reconnect === undefined) return;
    // A second stall on the same socket: the client's own way to leave it did not get through.
    if (this.#stalled) breakSocket(this.#connection);
    // Nothing more into a dead socket; a late PONG or a new connection lifts it.
    this.#stalled = true;
    this.#connection.reconnect().catch(() => undefined);
  }
}
