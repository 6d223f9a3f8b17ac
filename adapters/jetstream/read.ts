import { EventError } from "../../core/errors.ts";
import { Fifo } from "../../core/fifo.ts";
import type { IncomingMessage } from "../../core/message.ts";
import type { ReadOptions } from "../../core/transport.ts";
import type { NatsMessageLike } from "../nats/nats-like.ts";
import { onAbort } from "../nats/on-abort.ts";
import { AckSubject } from "./ack-subject.ts";
import { ensureConsumer } from "./consumer.ts";
import { StoredMessage } from "./incoming.ts";
import { Pull } from "./pull.ts";
import type { ReceiveContext } from "./receive-context.ts";
import { type Source, sourcesOf } from "./sources.ts";

/** Messages asked for ahead of the reader. */
const batch = 256;

/**
 * What the streams of a destination have now, oldest first, then ends; several streams one after the other.
 *
 * Reads through a consumer that expects no verdicts, lies in memory and is removed at the end, by the server itself when
 * this process dies. Where a message is missing or the server falls silent it goes on with a new one.
 *
 * A position is the sequence in the stream. Where several streams have the destination it is `<stream>/<sequence>`, and
 * reading from it goes on with the streams behind that one by name; a sequence alone is one in each of them.
 */
export async function* readStored(
  context: ReceiveContext,
  { destination, from = "earliest", signal }: ReadOptions,
): AsyncGenerator<IncomingMessage> {
  const sources = await sourcesOf(context, [destination], false);
  const [, first = "", sequence] = /^([^/]+)\/(\d+)$/.exec(from) ?? [];
  for (const source of sources.sort((one, other) => (one.stream < other.stream ? -1 : 1))) {
    const { stream } = source;
    if (stream < first) continue;
    const start = sequence === undefined ? from : stream === first ? sequence : "earliest";
    for await (const message of readSource(context, source, start, signal)) {
      if (sources.length > 1) message.position = `${stream}/${message.position}`;
      yield message;
    }
  }
}

/** One of them. */
export async function* readSource(
  context: ReceiveContext,
  { stream, subjects, partition }: Source,
  from: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<StoredMessage> {
  const { api, clock, link, heartbeatMs } = context;
  const arrived = new Fifo<NatsMessageLike>();
  let broken = false;
  let wake = (): void => {};
  const pull = new Pull(context, {
    message(message) {
      arrived.push(message);
      wake();
    },
    ended: () => wake(),
    lost() {
      broken = true;
      wake();
    },
  });
  const unlisten = link.listen(({ type }) => {
    if (type === "connected" || type === "closed") broken = true;
    wake();
  });
  let aborted: EventError | undefined;
  const leave = onAbort(signal, (error) => {
    aborted = error;
    wake();
  });
  const check = (): void => {
    if (aborted) throw aborted;
    if (link.state === "closed") throw new EventError("closed", "jetstream: the transport is closed");
  };
  /** Resolves when something happened, or after a heartbeat. */
  const change = (): Promise<void> =>
    new Promise((resolve) => {
      const timer = clock.after(heartbeatMs, resolve);
      wake = () => {
        timer.cancel();
        resolve();
      };
    });
  let consumer: string | undefined;
  const remove = async (): Promise<void> => {
    const name = consumer;
    consumer = undefined;
    if (name === undefined || link.state !== "connected") return;
    await api.request(`CONSUMER.DELETE.${stream}.${name}`).catch(() => undefined);
  };
  let start = from;
  // What is stored after the beginning is not waited for.
  let left = Number.POSITIVE_INFINITY;
  try {
    while (left > 0) {
      const made = await ensureConsumer(api, { stream, durable: undefined, subjects, from: start, ackPolicy: "none" });
      consumer = made.name;
      left = Math.min(left, made.pending);
      broken = false;
      pull.requested = 0;
      let expected = 1;
      while (left > 0 && !broken) {
        if (pull.requested + arrived.length < batch / 2) pull.ask(stream, consumer, batch - arrived.length);
        while (arrived.length === 0 && !broken) {
          check();
          await change();
          // Ended without what was pending: that was removed meanwhile, and what is left is counted anew.
          const ended = arrived.length === 0 && pull.requested === 0;
          if (ended || pull.silentSince(clock.now() - 2 * heartbeatMs)) broken = true;
        }
        for (let message = arrived.shift(); message && left > 0; message = arrived.shift()) {
          check();
          if (!message.reply!.includes(`.${consumer}.`)) continue; // the rest of an earlier one
          const stored = new AckSubject(message.reply!);
          // One was lost on its way: go on behind the last that came.
          broken = stored.consumerSequence !== expected;
          if (broken) break;
          expected++;
          left = Math.min(left - 1, stored.pending);
          start = String(stored.sequence + 1);
          yield new StoredMessage(message, stored, partition !== undefined);
        }
      }
      await remove();
    }
  } finally {
    leave();
    unlisten();
    await remove();
    await pull.close();
  }
}
