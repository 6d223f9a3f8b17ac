import type { Clock, Timer } from "../../core/clock.ts";
import { EventError } from "../../core/errors.ts";
import type { PublishOutcome } from "../../core/transport.ts";
import { breakSocket } from "./break-socket.ts";
import { closedError, natsError } from "./errors.ts";
import type { Link } from "./link.ts";
import type { NatsLike } from "./nats-like.ts";
import { notStored } from "./not-stored.ts";
import type { BufferLimits } from "./options.ts";
import type { Acceptor } from "./publish.ts";

/** An accepted message until the broker confirmed it. */
export interface Entry {
  readonly subject: string;
  head: Uint8Array | undefined;
  body: Uint8Array | undefined;
  readonly bytes: number;
  /** When it was accepted. */
  atMs: number;
  /** It went to the client at least once: it may be stored. */
  written: boolean;
  /** Settled, maybe before its turn: then nothing is left but its place in the queue. */
  done: boolean;
  /** Who waits for the outcome; undefined for a `post`. */
  readonly settled: ((outcome: PublishOutcome) => void) | undefined;
}

/** Keeps every accepted message until a PONG confirms it, within the limits of the buffer. */
export interface Outbox extends Acceptor<Entry> {
  /** What waits for a confirmation: messages and bytes. */
  size(): { readonly buffered: number; readonly bufferedBytes: number };
  /** The server refused a publish. It names the subject alone: nothing written to that by now is stored. */
  refuse(subject: string, error: EventError): void;
  /** Resolves when everything accepted so far is settled. */
  settled(): Promise<void>;
}

/**
 * Makes the outage buffer of a link: it writes entries to the client, in order, and finds out which the server has.
 *
 * The client drops what it holds whenever it dials, the successful time included, and rejects the PINGs of that
 * time. So everything unconfirmed is written under one and the same `connection.info` (a new object per connect):
 * then no PING can survive a dial that its messages did not.
 */
export function createOutbox(
  connection: NatsLike,
  link: Link,
  clock: Clock,
  { maxEvents, maxBytes, maxAgeMs, stallMs }: BufferLimits,
): Outbox {
  /** Small batches get a PING of their own until so many are on their way; then one PING covers what gathers. */
  const maxProbes = 8;
  /** A PING at least every so many bytes, so that a slow link shows progress within the stall time. */
  const probeBytes = 131_072;
  /** What a turn gathers before it writes, so that the server works while the rest is being encoded. */
  const gatherBytes = 16_384;
  /** Bytes written and not confirmed, at most. Keeps a rewrite after an outage from outrunning the link. */
  const windowBytes = 4_194_304;
  /** Oldest first. Their sequence numbers start at `first`; `sent` is that of the next to write. */
  const entries: Entry[] = [];
  let first = 0;
  let sent = 0;
  let events = 0;
  let bytes = 0;
  /** Bytes accepted since the last write. */
  let gathered = 0;
  /** PINGs on their way: a PONG confirms every entry before `upTo`. */
  const probes = new Set<{ readonly upTo: number; readonly bytes: number }>();
  /** Bytes written so far, by the last PING, and by the last one that was answered. */
  let written = 0;
  let probed = 0;
  let confirmed = 0;
  /** When a PONG came last, or when the first PING after an idle time went. */
  let progressMs = 0;
  let info: unknown;
  let stalled = false;
  let scheduled = false;
  let turnMs = 0;
  let timer: Timer | undefined;
  const waiting: { readonly upTo: number; readonly done: () => void }[] = [];
  const stored: PublishOutcome = { stored: true, at: {} };
  let head: Uint8Array | undefined;
  // The client calls `encode` inside `publish`, so one object serves every message.
  const withHead = { headers: { encode: () => head } };

  const settle = (entry: Entry, error?: EventError, mayBeStored = entry.written): void => {
    if (entry.done) return;
    entry.done = true;
    entry.head = entry.body = undefined;
    events--;
    bytes -= entry.bytes;
    if (entry.settled) entry.settled(error ? notStored(error, mayBeStored) : stored);
    else if (error) link.emit({ type: "error", error });
  };

  /** Takes the oldest out, with their outcome. */
  const retire = (count: number, error?: EventError): void => {
    const retired = entries.splice(0, count);
    first += retired.length;
    sent = Math.max(sent, first);
    for (const entry of retired) settle(entry, error);
    while (waiting.length > 0 && waiting[0]!.upTo <= first) waiting.shift()!.done();
  };

  /** Whatever was written and not confirmed goes back to waiting. */
  const rewind = (): void => {
    probes.clear();
    sent = first;
    probed = confirmed = written;
  };

  const probe = (): void => {
    if (probes.size === 0) progressMs = clock.now();
    const mine = { upTo: sent, bytes: written };
    probes.add(mine);
    probed = written;
    const answered = (): void => {
      retire(mine.upTo - first);
      if (probes.delete(mine)) {
        confirmed = mine.bytes;
        progressMs = clock.now();
      }
      stalled = false;
      pump();
    };
    const dialled = (): void => {
      if (!probes.has(mine)) return;
      rewind();
      link.lost();
    };
    // Refusals come before the PONG, but by another way.
    connection.flush().then(link.afterStatuses).then(answered, dialled);
  };

  const write = (): void => {
    gathered = 0;
    // Dialling, though the status that says so is still to come. The next dial looks the same, and drops what is written.
    if (!connection.info) return;
    if (info !== connection.info) {
      // The client may have dialled. PINGs on their way tell, by their answer or their rejection; nothing may overtake
      // what they cover. Without a PING what was written counts as lost.
      if (probes.size > 0) return;
      rewind();
      info = connection.info;
    }
    while (sent < first + entries.length && written - confirmed < windowBytes) {
      const entry = entries[sent++ - first]!;
      if (!entry.done) {
        head = entry.head;
        try {
          connection.publish(entry.subject, entry.body, head && withHead);
          entry.written = true;
        } catch (reason) {
          settle(entry, natsError(reason, entry.subject));
        }
      }
      // One more, because an entry without bytes, or settled before its turn, needs a PONG as well.
      written += entry.bytes + 1;
      if (written - probed >= probeBytes) probe();
    }
    if (written > probed && probes.size < maxProbes) probe();
  };

  const pump = (): void => {
    if (link.state === "connected" && !stalled) write();
    arm();
  };

  /** One timer while anything waits: the age of the oldest and the patience with a PING both hang on it. */
  const arm = (): void => {
    const oldest = entries[0];
    if (!oldest) {
      timer?.cancel();
      timer = undefined;
    } else if (!timer) {
      const now = clock.now();
      const stallsMs = (probes.size > 0 ? progressMs : now) + stallMs;
      const firesMs = Math.max(now + 1, Math.min(oldest.atMs + maxAgeMs, stallsMs));
      timer = clock.after(firesMs - now, () => {
        timer = undefined;
        // A late timer means a busy process, which had no time to read an answer either.
        progressMs += clock.now() - firesMs;
        watch(clock.now());
        pump();
      });
    }
  };

  const watch = (now: number): void => {
    let count = 0;
    while (count < entries.length && entries[count]!.atMs <= now - maxAgeMs) count++;
    const text = `nats: not confirmed within ${maxAgeMs} ms`;
    retire(count, new EventError("buffer-expired", text, { retryable: true }));
    if (link.state !== "connected" || probes.size === 0 || now - progressMs < stallMs) return;
    // Connected, so the client says, and no answer: a half-open socket. Alone it would notice at its pings only.
    progressMs = now;
    link.emit({ type: "stale" });
    if (!connection.reconnect) return;
    // A second stall on the same socket: the client's own way to leave it did not get through.
    if (stalled) breakSocket(connection);
    // Nothing more into a dead socket; a late PONG or a new connection lifts it.
    stalled = true;
    connection.reconnect().catch(() => {});
  };

  // Before anyone else listens: everything unconfirmed goes again, before anything new. While the connection is gone,
  // what was written goes back to waiting when its PING is rejected, not at once: the client may have dialled already,
  // and then it still sends what was written since.
  link.listen(({ type, error }) => {
    if (type.endsWith("connected")) {
      stalled = false;
      progressMs = clock.now();
      pump();
    }
    if (type !== "closed") return;
    retire(entries.length, closedError(error?.cause));
    arm();
  });

  return {
    size: () => ({ buffered: events, bufferedBytes: bytes }),
    accept(entry) {
      if (entries.length >= maxEvents || bytes + entry.bytes > maxBytes) return false;
      if (!scheduled) {
        scheduled = true;
        turnMs = clock.now();
        queueMicrotask(() => {
          scheduled = false;
          pump();
        });
      }
      entry.atMs = turnMs;
      entries.push(entry);
      events++;
      bytes += entry.bytes;
      gathered += entry.bytes;
      if (gathered > gatherBytes) pump();
      return true;
    },
    abandon: settle,
    refuse(subject, error) {
      for (const entry of entries.slice(0, sent - first)) if (entry.subject === subject) settle(entry, error, false);
    },
    settled: () =>
      new Promise((done) => {
        if (entries[0]) waiting.push({ upTo: first + entries.length, done });
        else done();
      }),
  };
}
