import { EventError } from "../../core/errors.ts";
import { limits } from "../nats/options.ts";
import type { JetStreamTransportOptions, PublishBounds, StreamSpec } from "./options.ts";
import { covers } from "./subjects.ts";

/** The numbers of the options with their defaults. */
export interface JetStreamSettings {
  readonly bounds: PublishBounds;
  readonly heartbeatMs: number;
}

/** What the server takes unless a stream says otherwise. */
const defaultWindowMs = 120_000;
const streamName = /^[^\s\p{Cc}.*>/\\]{1,255}$/u;
const subjectPattern = /^(?!\$)[^\s\p{Cc}.>]+(\.[^\s\p{Cc}.>]+)*(\.>)?$|^>$/u;

/** Fills in the defaults. Throws `invalid-option`, naming the option and what it wants. */
export function jetstreamSettings(options: JetStreamTransportOptions): JetStreamSettings {
  const bounds = limits("jetstream: buffer", options.buffer, {
    maxEvents: 65_536,
    maxBytes: 67_108_864,
    maxAgeMs: 60_000,
    stallMs: 5_000,
    maxUnconfirmed: 2_048,
  });
  const { streams = [], heartbeatMs, ackWaitMs, maxAckPending } = options;
  // Checked alone: what is not given is not compared with a consumer that exists.
  limits("jetstream: options", { ackWaitMs, maxAckPending }, { ackWaitMs: 1, maxAckPending: 1 });
  for (const stream of streams) checkStream(stream, bounds.maxAgeMs);
  for (const [n, { name, subjects }] of streams.entries()) {
    for (const other of streams.slice(n + 1)) {
      const common = subjects.find((one) => other.subjects.some((two) => covers(one, two) || covers(two, one)));
      if (common !== undefined) throw refused(`streams: ${name} and ${other.name} both take ${common}`);
    }
  }
  return { bounds, ...limits("jetstream: options", { heartbeatMs }, { heartbeatMs: 5_000 }) };
}

function checkStream(spec: StreamSpec, maxAgeMs: number): void {
  const { name, subjects, maxBytes, replicas, partitions, duplicateWindowMs = defaultWindowMs } = spec;
  if (!streamName.test(name)) throw refused(`streams: ${JSON.stringify(name).slice(0, 80)} is no name of a stream`);
  const at = `stream ${name}`;
  if (subjects.length === 0) throw refused(`${at}: subjects: at least one`);
  for (const subject of subjects) {
    if (!subjectPattern.test(subject)) throw refused(`${at}: no subject: ${JSON.stringify(subject).slice(0, 80)}`);
  }
  const numbers = { maxAgeMs: spec.maxAgeMs, maxBytes, replicas, duplicateWindowMs, partitions };
  limits(`jetstream: ${at}`, numbers, { maxAgeMs: 1, maxBytes: 1, replicas: 1, duplicateWindowMs: 1, partitions: 1 });
  if (replicas !== undefined && replicas > 5) throw refused(`${at}: replicas: 1 to 5, not ${replicas}`);
  if (duplicateWindowMs >= maxAgeMs) return;
  const text = `${at}: duplicateWindowMs ${duplicateWindowMs} is below buffer.maxAgeMs ${maxAgeMs}`;
  throw refused(`${text}, so that what is sent again could be stored twice`);
}

function refused(what: string): EventError {
  return new EventError("invalid-option", `jetstream: ${what}`);
}
