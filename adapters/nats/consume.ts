import { EventError } from "../../core/errors.ts";
import type { ConsumeSink, ConsumeSource, TransportSubscription } from "../../core/transport.ts";
import { natsError } from "./errors.ts";
import type { Link } from "./link.ts";
import type { NatsLike } from "./nats-like.ts";
import type { HoldLimits } from "./options.ts";
import { isToken, shown } from "./subject.ts";
import { NatsConsumer } from "./subscription.ts";

/** What {@link startConsumer} works with. */
export interface ConsumeContext {
  readonly connection: NatsLike;
  readonly link: Link;
  readonly holds: HoldLimits;
  readonly replyPrefixes: readonly string[];
  /** Everything that runs, for the transport's close. */
  readonly consumers: Set<NatsConsumer>;
}

/**
 * Subscribes to every destination and resolves when the server has all of them.
 *
 * Rejects with `unsupported` for a start in the past, `invalid-destination`, `denied` for a refused subscription,
 * `closed`. While the connection is down it waits for it.
 */
export async function startConsumer(
  { connection, link, holds, replyPrefixes, consumers }: ConsumeContext,
  { destinations, group, from }: ConsumeSource,
  sink: ConsumeSink,
): Promise<TransportSubscription> {
  if (from !== "new") {
    throw new EventError("unsupported", `nats: core NATS stores nothing, so consume cannot start from "${from}"`);
  }
  for (const name of group === undefined ? destinations : [...destinations, group]) {
    // The client writes both into its command as they are, and looks at the subject alone.
    if (!isToken(name)) throw new EventError("invalid-destination", `nats: not a subject or group: ${shown(name)}`);
  }
  const consumer: NatsConsumer = new NatsConsumer(sink, holds, replyPrefixes, () => consumers.delete(consumer));
  consumers.add(consumer);
  try {
    for (const destination of destinations) {
      const options = {
        callback: consumer.receive.bind(consumer),
        ...(group === undefined ? {} : { queue: group }),
      };
      consumer.subscriptions.push(connection.subscribe(destination, options));
    }
    await confirmed(connection, link);
    if (consumer.refused !== undefined) throw consumer.refused;
  } catch (reason) {
    await consumer.close();
    throw natsError(reason, "subscribe");
  }
  consumer.active = true;
  return consumer;
}

/** Resolves when the server answered a PING sent after the subscriptions, across as many connections as it takes. */
async function confirmed(connection: NatsLike, link: Link): Promise<void> {
  for (;;) {
    if (link.state === "closed") throw new EventError("closed", "nats: the transport is closed");
    if (link.state === "connected") {
      try {
        await connection.flush();
        return await new Promise((resolve) => link.afterStatuses(resolve));
      } catch {
        // The client dialled again; it repeats its subscriptions by itself, so only the PING is missing.
        link.lost();
        continue;
      }
    }
    await new Promise<void>((resolve) => {
      const unlisten = link.listen(({ type }) => {
        if (type !== "connected" && type !== "closed") return;
        unlisten();
        resolve();
      });
    });
  }
}
