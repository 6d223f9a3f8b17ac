import { type Clock, systemClock } from "../../core/clock.ts";
import { EventError } from "../../core/errors.ts";
import type { KafkaDriver } from "./driver.ts";

const MiB = 1024 * 1024;

/** A bound in messages and in bytes; whichever is reached first holds. */
export interface Bound {
  /** Less than 1 is refused with `invalid-option`. */
  readonly messages: number;
  /** About what they take, headers and key included. Less than 1 is refused with `invalid-option`. */
  readonly bytes: number;
}

/** Options of `kafkaTransport`. */
export interface KafkaTransportOptions {
  /** The client library: `confluentDriver({ brokers })` from `waybill/kafka/confluent`. */
  readonly driver: KafkaDriver;
  /** For receipts, logs and errors. Default: `kafka`. */
  readonly name?: string | undefined;
  /** Default: the host's. */
  readonly clock?: Clock | undefined;
  /**
   * How far deliveries of a partition may run ahead of the first unfinished one, which is what can be delivered twice
   * after a crash; then the partition waits. Default: 1,000 messages or 16 MiB.
   */
  readonly maxAhead?: Partial<Bound> | undefined;
  /** How many accepted messages may wait for a confirmation. Default: 65,536 messages or 64 MiB. */
  readonly buffer?: Partial<Bound> | undefined;
  /** How long started work may take to finish before its partition is given away, in milliseconds. Default: 10,000. */
  readonly drainMs?: number | undefined;
  /** How often finished offsets are committed, in milliseconds. Default: 1,000. */
  readonly commitIntervalMs?: number | undefined;
  /** How long `consume` waits for the group to give this member its part, in milliseconds. Default: 60,000. */
  readonly joinTimeoutMs?: number | undefined;
  /** Largest message, headers and key included, in bytes. The topic must allow it too. Default: 10 MiB. */
  readonly maxMessageBytes?: number | undefined;
}

/** The options with their defaults. */
export interface KafkaSettings {
  readonly driver: KafkaDriver;
  readonly name: string;
  readonly clock: Clock;
  readonly maxAhead: Bound;
  readonly buffer: Bound;
  readonly drainMs: number;
  readonly commitIntervalMs: number;
  readonly joinTimeoutMs: number;
  readonly maxMessageBytes: number;
}

/** Fills in the defaults. Throws `invalid-option`, naming the option and what it wants. */
export function kafkaSettings(options: KafkaTransportOptions): KafkaSettings {
  const settings: KafkaSettings = {
    driver: options.driver,
    name: options.name ?? "kafka",
    clock: options.clock ?? systemClock,
    maxAhead: { messages: options.maxAhead?.messages ?? 1_000, bytes: options.maxAhead?.bytes ?? 16 * MiB },
    buffer: { messages: options.buffer?.messages ?? 65_536, bytes: options.buffer?.bytes ?? 64 * MiB },
    drainMs: options.drainMs ?? 10_000,
    commitIntervalMs: options.commitIntervalMs ?? 1_000,
    joinTimeoutMs: options.joinTimeoutMs ?? 60_000,
    maxMessageBytes: options.maxMessageBytes ?? 10 * MiB,
  };
  if (typeof settings.driver?.openProducer !== "function") {
    throw new EventError("invalid-option", "driver: a Kafka driver, such as confluentDriver({ brokers })");
  }
  const atLeastOne: [string, number][] = [
    ["maxAhead.messages", settings.maxAhead.messages],
    ["maxAhead.bytes", settings.maxAhead.bytes],
    ["buffer.messages", settings.buffer.messages],
    ["buffer.bytes", settings.buffer.bytes],
    ["commitIntervalMs", settings.commitIntervalMs],
    ["joinTimeoutMs", settings.joinTimeoutMs],
    ["maxMessageBytes", settings.maxMessageBytes],
  ];
  for (const [name, value] of atLeastOne) if (!(value >= 1)) throw refused(name, "at least 1", value);
  if (!(settings.drainMs >= 0)) throw refused("drainMs", "at least 0", settings.drainMs);
  return settings;
}

function refused(name: string, wanted: string, value: unknown): EventError {
  return new EventError("invalid-option", `${name}: ${wanted}, not ${String(value)}`);
}
