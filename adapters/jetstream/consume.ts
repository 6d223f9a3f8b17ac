import { EventError } from "../../core/errors.ts";
import type { ConsumeSink, ConsumeSource, TransportSubscription } from "../../core/transport.ts";
import { type ConsumerSpec, ensureConsumer, startOf } from "./consumer.ts";
import type { StreamConfig } from "./ensure-stream.ts";
import { GivenUpLane } from "./given-up-lane.ts";
import { withGivenUp } from "./given-up-stream.ts";
import { Lane } from "./lane.ts";
import type { ReceiveContext } from "./receive-context.ts";
import { sourcesOf } from "./sources.ts";
import { fnv1a } from "./subjects.ts";
import { JetStreamSubscription } from "./subscription.ts";

/**
 * Makes the consumers of every stream that has the destinations, and begins to take from them.
 *
 * Rejects with `invalid-destination` where no stream has one, `invalid-option` for a start that is none,
 * `configuration-mismatch` for a durable that differs, `unsupported` for what a work queue cannot do.
 */
export async function startConsuming(
  context: ReceiveContext,
  { destinations, group, from }: ConsumeSource,
  sink: ConsumeSink,
): Promise<TransportSubscription> {
  startOf(from);
  const { api, running, options } = context;
  const { ackWaitMs, maxAckPending } = options;
  const durable = group === undefined ? undefined : durableName(context, group, destinations);
  const sources = await sourcesOf(context, destinations, group !== undefined);
  const subscription = new JetStreamSubscription(context, sink);
  running.add(subscription);
  try {
    const caught = new Map<string, { readonly config: StreamConfig; readonly lanes: Lane[] }>();
    for (const { stream, subjects, partition } of sources) {
      if (durable !== undefined && !caught.has(stream)) {
        const config = await withGivenUp(api, stream);
        if (config) caught.set(stream, { config, lanes: [] });
      }
      const one = typeof partition === "number";
      const spec: ConsumerSpec = {
        stream,
        durable: durable !== undefined && one ? `${durable}-p${partition}` : durable,
        subjects,
        from,
        ackWaitMs,
        // One unfinished event per partition, whichever member has it: that is what keeps keys in order.
        maxAckPending: one ? 1 : maxAckPending,
        mayGiveUp: caught.has(stream),
      };
      const consumer = await ensureConsumer(api, spec);
      const name = one ? `${stream}/${partition}` : stream;
      const lane = new Lane(subscription, name, spec, consumer, partition !== undefined);
      subscription.add(lane);
      caught.get(stream)?.lanes.push(lane);
    }
    for (const { config, lanes } of caught.values()) {
      const spec = GivenUpLane.specOf(config.name, durable!, lanes, ackWaitMs);
      subscription.add(new GivenUpLane(subscription, spec, await ensureConsumer(api, spec), config, lanes));
    }
    // Active at the server: its answer comes after the subscriptions that take the messages.
    await options.connection.flush();
    subscription.start();
    return subscription;
  } catch (reason) {
    await subscription.close({ deadlineMs: 0 });
    throw EventError.from(reason, "transport-failed", true);
  }
}

/** A legal name that tells groups apart, and one group's consumers of different destinations. */
function durableName({ options }: ReceiveContext, group: string, destinations: readonly string[]): string {
  const sorted = [...destinations].sort();
  const given = options.durableName?.(group, sorted);
  if (given !== undefined) {
    if (/^[^\s\p{Cc}.*>/\\]{1,200}$/u.test(given)) return given;
    throw new EventError("invalid-option", `jetstream: durableName gave ${JSON.stringify(given).slice(0, 80)}`);
  }
  const hash = fnv1a(JSON.stringify([group, ...sorted])).toString(36);
  return `${group.replace(/[^\w-]/g, "_").slice(0, 100)}-${hash}`;
}
