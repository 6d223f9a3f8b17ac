import type { Environment } from "../environment.ts";
import { EventError } from "../errors.ts";
import { fingerprint } from "../fingerprint.ts";
import type { Listening } from "../listening.ts";
import type { Delivery, ProvidedDestination, Verdict } from "../transport.ts";
import { type AttemptRecord, readRecord } from "./attempt-log.ts";
import { originalHeaders, redriveHeaders } from "./letter.ts";
import { longestWaitMs } from "./retry-policy.ts";

/** What a moved event carries. */
const retryHeaders = {
  destination: "waybill-retry-destination",
  /** Unix milliseconds. */
  due: "waybill-retry-due",
  /** An {@link AttemptRecord}, percent-encoded. */
  record: "waybill-retry-record",
} as const;

/** What is known of a moved event. */
export interface Moved {
  readonly dueMs: number;
  readonly record: AttemptRecord;
}

/** Takes what waits too long to wait in place: `<destination>.retry`. */
export interface RetryDestination {
  /** To be consumed beside the sources. */
  readonly destinations: readonly string[];
  /** Resolves when the event is stored there. */
  move(delivery: Delivery, record: AttemptRecord, delayMs: number): Promise<void>;
  /** The delivery as that of the destination it came from. */
  unwrap(delivery: Delivery): Delivery;
  /** What is known of a delivery that {@link unwrap} made; undefined for every other: anyone may write these headers. */
  moved(delivery: Delivery): Moved | undefined;
}

/**
 * Provides the retry destinations of a listening.
 *
 * @throws EventError `unsupported` where the transport has none, since it delivers again after any time.
 */
export async function openRetryDestination(
  { clock, ids, router }: Environment,
  { transport: name, group, destinations }: Listening,
): Promise<RetryDestination> {
  const transport = router.transport(name);
  if (!transport.capabilities.contiguous || !transport.ensure || group === undefined) {
    throw new EventError("unsupported", `transport "${name}" cannot do retry.escalate: "topic" here`);
  }
  const provided = new Map<string, ProvidedDestination>();
  for (const source of destinations) provided.set(source, await transport.ensure({ role: "retry", source }));
  const own = new Set([...provided.values()].flatMap((each) => each.destinations));

  return {
    destinations: [...own],
    async move({ message, lane, position }, record, delayMs) {
      const { destination, headers, body, key } = message;
      const copy = `retry:${record.count}:${fingerprint([group, lane, position].join("\n"))}`;
      const sent = [
        ...originalHeaders(headers),
        ...[redriveHeaders.group, group, retryHeaders.destination, destination],
        ...[retryHeaders.due, String(clock.now() + delayMs)],
        ...[retryHeaders.record, encodeURIComponent(JSON.stringify(record))],
        ...[redriveHeaders.originLane, headers.get(redriveHeaders.originLane) ?? lane],
        ...[redriveHeaders.originPosition, headers.get(redriveHeaders.originPosition) ?? position],
      ];
      for (const name of [redriveHeaders.count, redriveHeaders.front, redriveHeaders.letter]) {
        const value = headers.get(name);
        if (value !== undefined) sent.push(name, value);
      }
      const target = provided.get(destination)?.of(destination) ?? `${destination}.retry`;
      for (const dedupId of [copy, `${copy}:${ids()}`]) {
        const [outcome] = await transport.publish([{ destination: target, headers: sent, body, key, dedupId }]);
        if (!outcome!.stored) throw outcome!.error;
        // Anyone can work the first id out and store something else under it: then the event goes by the second.
        if (!outcome!.at.duplicate) return;
      }
    },
    unwrap(delivery) {
      if (!own.has(delivery.message.destination)) return delivery;
      const destination = delivery.message.headers.get(retryHeaders.destination);
      return destination !== undefined && provided.has(destination)
        ? new RetriedDelivery(delivery, destination)
        : delivery;
    },
    moved(delivery) {
      if (!(delivery instanceof RetriedDelivery)) return undefined;
      const { headers, timestampMs } = delivery.message;
      const dueMs = Number(headers.get(retryHeaders.due));
      const record = readRecord(decode(headers.get(retryHeaders.record) ?? ""));
      // Nobody's: it is tried as if it had never failed.
      if (!record || !Number.isFinite(dueMs)) return undefined;
      const now = clock.now();
      // No policy waits longer.
      const latestMs = Math.min(timestampMs ?? now, now) + longestWaitMs;
      return { dueMs: Math.min(dueMs, latestMs), record: { ...record, gaveUp: undefined } };
    },
  };
}

function decode(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return "";
  }
}

/** A delivery by the retry destination, with the place that its event came from. */
class RetriedDelivery implements Delivery {
  readonly message: Delivery["message"];
  readonly #inner: Delivery;

  constructor(inner: Delivery, destination: string) {
    const { headers, body, key, replyTo, partition, offset, timestampMs } = inner.message;
    this.message = { destination, headers, body, key, replyTo, partition, offset, timestampMs };
    this.#inner = inner;
  }
  get attempt(): number {
    return this.#inner.attempt;
  }
  get lane(): string {
    return this.#inner.lane;
  }
  get position(): string {
    return this.#inner.position;
  }
  get signal(): AbortSignal {
    return this.#inner.signal;
  }
  settle(verdict: Verdict): Promise<void> {
    return this.#inner.settle(verdict);
  }
  extend(): void {
    this.#inner.extend();
  }
  release(): void {
    this.#inner.release();
  }
}
