import type { ConsumeSink, ConsumeSource, TransportSubscription } from "../../core/transport.ts";
import type { ReceiveContext } from "./receive-context.ts";
import { NatsConsumer } from "./subscription.ts";
import { whenConnected } from "./when-connected.ts";

// Anything else would end the command early, and the rest would be commands of its own.
const TOKEN = /^[^\s\0]+$/;

/**
 * Subscribes to every destination and resolves when the server has all of them.
 *
 * Rejects with `unsupported` for a start in the past, `invalid-destination`, `denied` for a refused subscription,
 * `closed`. While the connection is down it waits for it.
 */
export async function startConsumer(
  context: ReceiveContext,
  { destinations, group, from }: ConsumeSource,
  sink: ConsumeSink,
): Promise<TransportSubscription> {
  const {
    options: { connection },
    consumers,
    natsError,
    EventError,
  } = context;
  if (from !== "new") {
    throw new EventError("unsupported", `nats: core NATS stores nothing, so consume cannot start from "${from}"`);
  }
  // The client writes both into its command as they are, and looks at the subject alone.
  for (const name of group === undefined ? destinations : [...destinations, group]) {
    if (TOKEN.test(name)) continue;
    throw new EventError("invalid-destination", `nats: not a subject or group: ${JSON.stringify(name).slice(0, 80)}`);
  }
  const consumer: NatsConsumer = new NatsConsumer(sink, context, () => consumers.delete(consumer));
  consumers.add(consumer);
  try {
    for (const destination of destinations) {
      const how = {
        callback: consumer.receive.bind(consumer),
        ...(group === undefined ? {} : { queue: group }),
      };
      consumer.subscriptions.push(connection.subscribe(destination, how));
    }
    await confirmed(context);
    if (consumer.refused !== undefined) throw consumer.refused;
  } catch (reason) {
    await consumer.close();
    throw natsError(reason, "subscribe");
  }
  consumer.active = true;
  return consumer;
}

/** Resolves when the server answered a PING sent after the subscriptions, across as many connections as it takes. */
async function confirmed({ options: { connection }, link, EventError }: ReceiveContext): Promise<void> {
  while (await whenConnected(link)) {
    try {
      await connection.flush();
      return await link.afterStatuses();
    } catch {
      // The client dialled again; it repeats its subscriptions by itself, so only the PING is missing.
      link.lost();
    }
  }
  throw new EventError("closed", "nats: the transport is closed");
}
