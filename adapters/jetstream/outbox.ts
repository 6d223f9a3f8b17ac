import type { Clock, Timer } from "../../core/clock.ts";
import { EventError } from "../../core/errors.ts";
import { Fifo } from "../../core/fifo.ts";
import { closedError, natsError } from "../nats/errors.ts";
import type { Link } from "../nats/link.ts";
import type { NatsLike, NatsMessageLike, NatsSubscriptionLike } from "../nats/nats-like.ts";
import { notStored } from "../nats/not-stored.ts";
import type { Acceptor } from "../nats/publish.ts";
import type { LivenessCheck } from "./liveness.ts";
import type { PublishBounds } from "./options.ts";
import { KeyTurns, type Pending } from "./pending.ts";
import { parsePubAck } from "./pub-ack.ts";

/** Keeps every accepted message until JetStream answered it, within the bounds of the buffer. */
export interface Outbox extends Acceptor<Pending> {
  /** What waits for a confirmation: messages and bytes. */
  size(): { readonly buffered: number; readonly bufferedBytes: number };
  /** Lets messages out: the streams are there. */
  open(): void;
  /** Fails everything that waits. */
  fail(error: EventError): void;
  /** The server refused a publish. It names the subject alone: nothing written to that is stored. */
  refuse(subject: string, error: EventError): void;
  /** Resolves when everything accepted so far is settled. */
  settled(): Promise<void>;
  /** Listens for answers no more: the connection is the caller's and stays. */
  close(): void;
}

/** What an outbox works with. */
export interface OutboxContext {
  readonly connection: NatsLike;
  readonly link: Link;
  readonly clock: Clock;
  readonly alive: LivenessCheck;
  readonly bounds: PublishBounds;
  /** Answers come to this and a number. */
  readonly inbox: string;
  /** Holds messages back until {@link Outbox.open}. */
  readonly shut: boolean;
}

/** Pause before a message is written again that no stream took, and how often it is. Elections take a second or two. */
const refusedPauseMs = 250;
const maxRefusals = 16;
/** What a turn gathers before it writes, so that the server works while the rest is being encoded. */
const gatherBytes = 16_384;
/** Bytes written and not confirmed, at most. */
const windowBytes = 4_194_304;

/**
 * Makes the outage buffer: it writes messages to the client with a reply subject of their own, under one subscription,
 * and settles each by its answer.
 *
 * What was written and not answered is written again after each reconnect (the client drops what it holds whenever it
 * dials) and after `stallMs` without an answer: JetStream recognises the second copy by its `Nats-Msg-Id`.
 */
export function createOutbox({ connection, link, clock, alive, bounds, inbox, shut }: OutboxContext): Outbox {
  const { maxEvents, maxBytes, maxAgeMs, stallMs, maxUnconfirmed } = bounds;
  /** Everything not settled, oldest first, and what was settled before its elders. */
  const accepted = new Fifo<Pending>();
  /** May be written now. */
  const ready = new Fifo<Pending>();
  /** Written, by token: oldest first. */
  const unconfirmed = new Map<number, Pending>();
  /** Refused in passing, by the time of the refusal. */
  const parked = new Fifo<Pending>();
  const turns = new KeyTurns();
  const waiting: { readonly upTo: number; readonly done: () => void }[] = [];
  /** How many were ever accepted, and how many left `accepted`. */
  let entered = 0;
  let left = 0;
  let events = 0;
  let bytes = 0;
  let unconfirmedBytes = 0;
  let gathered = 0;
  let nextToken = 0;
  let held = shut;
  let inboxed: NatsSubscriptionLike | undefined;
  let checking = false;
  let scheduled = false;
  let turnMs = 0;
  let timer: Timer | undefined;
  let timerMs = 0;
  let head: Uint8Array | undefined;
  // The client reads both inside `publish`, so one object serves every message.
  const how = { reply: "", headers: { encode: () => head } };

  const forget = (pending: Pending): void => {
    if (unconfirmed.delete(pending.token)) unconfirmedBytes -= pending.bytes;
  };

  const settle = (pending: Pending, stored?: { sequence: number; duplicate: boolean }, error?: EventError): void => {
    if (pending.done) return;
    pending.done = true;
    pending.head = pending.body = undefined;
    events--;
    bytes -= pending.bytes;
    const next = turns.leave(pending);
    if (next) ready.push(next);
    if (stored) {
      const at: { sequence: number; partition?: number; duplicate?: boolean } = { sequence: stored.sequence };
      if (pending.partition !== undefined) at.partition = pending.partition;
      // The copy that was recognised is our own when it was written before.
      if (stored.duplicate && pending.sends === 1) at.duplicate = true;
      pending.settled?.({ stored: true, at });
    } else if (pending.settled) {
      pending.settled(notStored(error!, pending.sends > pending.refusals, pending.recognised));
    } else link.emit({ type: "error", error: error! });
    while (accepted.peek()?.done) {
      accepted.shift();
      left++;
    }
    while (waiting.length > 0 && waiting[0]!.upTo <= left) waiting.shift()!.done();
    if (events === 0) disarm();
  };

  const receive = (_: unknown, message: NatsMessageLike): void => {
    const pending = unconfirmed.get(Number(message.subject.slice(inbox.length)));
    if (!pending) return;
    const answer = parsePubAck(pending.subject, message);
    if (!answer) return;
    forget(pending);
    if (answer.kind === "stored") settle(pending, answer);
    else if (answer.passing && ++pending.refusals < maxRefusals) park(pending);
    else {
      // Each refusal takes one copy back; a copy without any answer may be stored.
      if (!answer.passing) pending.refusals++;
      settle(pending, undefined, answer.error);
    }
    if (ready.length > 0) schedule();
  };

  const park = (pending: Pending): void => {
    pending.writtenMs = clock.now();
    parked.push(pending);
    arm();
  };

  const write = (pending: Pending): void => {
    pending.token = nextToken++;
    pending.writtenMs = turnMs;
    head = pending.head;
    how.reply = inbox + pending.token;
    try {
      connection.publish(pending.subject, pending.body, how);
    } catch (reason) {
      settle(pending, undefined, natsError(reason, pending.subject));
      return;
    }
    pending.sends++;
    unconfirmed.set(pending.token, pending);
    unconfirmedBytes += pending.bytes;
  };

  const pump = (): void => {
    gathered = 0;
    if (link.state === "connected" && !held) {
      if (ready.length > 0) inboxed ??= connection.subscribe(`${inbox}*`, { callback: receive });
      while (ready.length > 0 && unconfirmed.size < maxUnconfirmed && unconfirmedBytes < windowBytes) {
        const pending = ready.shift()!;
        if (!pending.done) write(pending);
      }
    }
    arm();
  };

  const schedule = (): void => {
    if (scheduled) return;
    scheduled = true;
    turnMs = clock.now();
    queueMicrotask(() => {
      scheduled = false;
      pump();
    });
  };

  /** What was written and not answered goes again, before anything new. */
  const rewind = (until = Number.POSITIVE_INFINITY): void => {
    const again: Pending[] = [];
    for (const pending of unconfirmed.values()) {
      if (pending.writtenMs > until) break;
      again.push(pending);
    }
    for (const pending of again) forget(pending);
    if (again.length > 0) ready.unshift(again);
  };

  const disarm = (): void => {
    timer?.cancel();
    timer = undefined;
  };

  const first = (): Pending | undefined => unconfirmed.values().next().value;

  /** One timer while anything waits: age, patience with an answer and the pause of what was refused hang on it. */
  const arm = (): void => {
    const oldest = accepted.peek();
    if (!oldest) {
      disarm();
      return;
    }
    const soonest = parked.length > 0 ? parked.peek()!.writtenMs + refusedPauseMs : Number.POSITIVE_INFINITY;
    // What fires too early looks again; only what would fire too late is set anew.
    if (timer && timerMs <= soonest) return;
    disarm();
    const now = clock.now();
    const unanswered = first();
    const patienceMs = (unanswered && !checking ? unanswered.writtenMs : now) + stallMs;
    timerMs = Math.max(now + 1, Math.min(oldest.atMs + maxAgeMs, patienceMs, soonest));
    timer = clock.after(timerMs - now, () => {
      timer = undefined;
      watch(clock.now());
      turnMs = clock.now();
      pump();
    });
  };

  const watch = (now: number): void => {
    while (parked.length > 0 && parked.peek()!.writtenMs + refusedPauseMs <= now) {
      const pending = parked.shift()!;
      if (!pending.done) ready.push(pending);
    }
    const text = `jetstream: not confirmed within ${maxAgeMs} ms`;
    for (let oldest = accepted.peek(); oldest && oldest.atMs <= now - maxAgeMs; oldest = accepted.peek()) {
      forget(oldest);
      settle(oldest, undefined, new EventError("buffer-expired", text, { retryable: true }));
    }
    const unanswered = first();
    if (checking || link.state !== "connected" || !unanswered || unanswered.writtenMs > now - stallMs) return;
    checking = true;
    void alive(stallMs).then((answers) => {
      checking = false;
      // The connection is fine and the answer lost. Elsewhere the reconnect sends everything again.
      if (answers) rewind(now - stallMs);
      schedule();
    });
  };

  const failAll = (error: EventError): void => {
    for (let oldest = accepted.peek(); oldest; oldest = accepted.peek()) {
      forget(oldest);
      settle(oldest, undefined, error);
    }
  };

  // Before anyone else listens: everything unconfirmed goes again, before anything new.
  link.listen(({ type, error }) => {
    if (type === "connected") {
      rewind();
      turnMs = clock.now();
      pump();
    }
    if (type === "closed") failAll(closedError(error?.cause));
  });

  return {
    size: () => ({ buffered: events, bufferedBytes: bytes }),
    accept(pending) {
      if (events >= maxEvents || bytes + pending.bytes > maxBytes) return false;
      schedule();
      pending.atMs = turnMs;
      accepted.push(pending);
      entered++;
      events++;
      bytes += pending.bytes;
      if (!turns.enter(pending)) return true;
      ready.push(pending);
      gathered += pending.bytes;
      if (gathered > gatherBytes) pump();
      return true;
    },
    abandon(pending, error) {
      forget(pending);
      settle(pending, undefined, error);
    },
    open() {
      held = false;
      schedule();
    },
    fail: failAll,
    refuse(subject, error) {
      for (const pending of [...unconfirmed.values()]) {
        if (pending.subject !== subject) continue;
        forget(pending);
        pending.refusals = pending.sends;
        settle(pending, undefined, error);
      }
    },
    settled: () =>
      new Promise((done) => {
        if (events > 0) waiting.push({ upTo: entered, done });
        else done();
      }),
    close: () => inboxed?.unsubscribe(),
  };
}
