import { EventError } from "../../core/errors.ts";
import type { IncomingMessage } from "../../core/message.ts";
import type { ReadOptions } from "../../core/transport.ts";
import type { NatsMessageLike } from "../nats/nats-like.ts";
import { onAbort } from "../nats/on-abort.ts";
import { AckSubject } from "./ack-subject.ts";
import { type Source, sourcesOf } from "./consume.ts";
import { ensureConsumer } from "./consumer.ts";
import { Fifo } from "./fifo.ts";
import { JetStreamMessage } from "./incoming.ts";
import { Pull } from "./pull.ts";
import type { ReceiveContext } from "./receive-context.ts";

/** Messages asked for ahead of the reader. */
const batch = 256;

/**
 * What the streams of a destination have now, oldest first, then ends; several streams one after the other.
 *
 * Reads through a consumer that expects no verdicts, lies in memory and is removed at the end, by the server itself when
 * this process dies. Where a message is missing or the server falls silent it goes on with a new one.
 */
export async function* readStored(
  context: ReceiveContext,
  { destination, from = "earliest", signal }: ReadOptions,
): AsyncGenerator<IncomingMessage> {
  const sources = await sourcesOf(context, [destination], false);
  for (const source of sources) yield* readSource(context, source, from, signal);
}

async function* readSource(
  context: ReceiveContext,
  { stream, subjects, partition }: Source,
  from: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<IncomingMessage> {
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
  const remove = (): void => {
    if (consumer !== undefined) api.request(`CONSUMER.DELETE.${stream}.${consumer}`).catch(() => undefined);
    consumer = undefined;
  };
  let start = from;
  let last: number | undefined;
  try {
    for (;;) {
      const made = await ensureConsumer(api, { stream, durable: undefined, subjects, from: start, ackPolicy: "none" });
      consumer = made.name;
      broken = false;
      pull.requested = 0;
      let expected = 1;
      // What is stored later is not waited for, also when the reading began anew.
      let left = made.pending;
      while (left > 0 && !broken) {
        if (pull.requested + arrived.length < batch / 2) pull.ask(stream, consumer, batch - arrived.length);
        while (arrived.length === 0 && !broken) {
          if (aborted) throw aborted;
          if (link.state === "closed") throw new EventError("closed", "jetstream: the transport is closed");
          await change();
          if (pull.silentSince(clock.now() - 2 * heartbeatMs)) broken = true;
        }
        for (let message = arrived.shift(); message; message = arrived.shift()) {
          if (aborted) throw aborted;
          const stored = new AckSubject(message.reply!);
          // One was lost on its way, or it is the rest of an earlier consumer.
          if (stored.consumerSequence !== expected) {
            broken = true;
            break;
          }
          expected++;
          left = stored.pending;
          start = String(stored.sequence + 1);
          last = stored.sequence;
          yield new JetStreamMessage(message, stored, partition !== undefined);
        }
      }
      if (!broken) return;
      for (let rest = arrived.shift(); rest; rest = arrived.shift());
      remove();
    }
  } finally {
    leave();
    unlisten();
    remove();
    void last;
    await pull.close();
  }
}
