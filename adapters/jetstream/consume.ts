import { EventError } from "../../core/errors.ts";
import type { ConsumeSink, ConsumeSource, TransportSubscription } from "../../core/transport.ts";
import { type ApiError, apiError } from "./api.ts";
import { type ConsumerSpec, ensureConsumer, startOf } from "./consumer.ts";
import { Lane } from "./lane.ts";
import { partitionSubject } from "./partitions.ts";
import type { ReceiveContext } from "./receive-context.ts";
import { fnv1a, widest } from "./subjects.ts";
import { JetStreamSubscription } from "./subscription.ts";

// As `invalid-destination` of core, but with wildcards; the API would read anything else as part of its own subjects.
const destinationPattern = /^(?!\$)[^\s\p{Cc}.>]+(\.[^\s\p{Cc}.>]+)*(\.>)?$|^>$/u;

/** What one consumer takes. */
export interface Source {
  readonly stream: string;
  readonly subjects: readonly string[];
  /** The one partition it takes, all of them, or undefined where there are none. */
  readonly partition: number | "all" | undefined;
}

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
    for (const { stream, subjects, partition } of sources) {
      const one = typeof partition === "number";
      const spec: ConsumerSpec = {
        stream,
        durable: durable !== undefined && one ? `${durable}-p${partition}` : durable,
        subjects,
        from,
        ackWaitMs,
        // One unfinished event per partition, whichever member has it: that is what keeps keys in order.
        maxAckPending: one ? 1 : maxAckPending,
      };
      const consumer = await ensureConsumer(api, spec);
      const name = one ? `${stream}/${partition}` : stream;
      subscription.add(new Lane(subscription, name, spec, consumer, partition !== undefined));
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

/** The streams that have the destinations, and the partitions of each that a group takes one by one. */
export async function sourcesOf(
  { api, partitions }: ReceiveContext,
  destinations: readonly string[],
  grouped: boolean,
): Promise<Source[]> {
  const plain = new Map<string, string[]>();
  const split = new Map<string, { of: number; destinations: string[] }>();
  for (const destination of widest(destinations)) {
    const of = partitions.count(destination);
    const subject = of > 0 ? partitionSubject("*", destination) : destination;
    for (const stream of await streamsOf(api, destination, subject)) {
      if (of > 0) {
        const entry = split.get(stream) ?? { of, destinations: [] };
        entry.destinations.push(destination);
        split.set(stream, entry);
      } else plain.set(stream, [...(plain.get(stream) ?? []), destination]);
    }
  }
  const sources: Source[] = Array.from(plain, ([stream, subjects]) => ({ stream, subjects, partition: undefined }));
  for (const [stream, { of, destinations: own }] of split) {
    const subjects = (partition: number | "*"): string[] => own.map((each) => partitionSubject(partition, each));
    if (!grouped) sources.push({ stream, subjects: subjects("*"), partition: "all" });
    else for (let n = 0; n < of; n++) sources.push({ stream, subjects: subjects(n), partition: n });
  }
  return sources;
}

async function streamsOf(api: ReceiveContext["api"], destination: string, subject: string): Promise<readonly string[]> {
  if (!destinationPattern.test(destination)) {
    const text = `jetstream: no destination: ${JSON.stringify(destination).slice(0, 80)}`;
    throw new EventError("invalid-destination", text);
  }
  const found = await api.request<{ streams?: readonly string[] | null; error?: ApiError }>("STREAM.NAMES", {
    subject,
  });
  if (found.error) throw apiError("cannot look for streams", found.error);
  if (found.streams?.length) return found.streams;
  throw new EventError("invalid-destination", `jetstream: no stream has ${destination}`, { retryable: true });
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
