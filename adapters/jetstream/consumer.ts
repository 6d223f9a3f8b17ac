import { EventError } from "../../core/errors.ts";
import { defaultIds } from "../../core/id.ts";
import type { ConsumeSource } from "../../core/transport.ts";
import { type Api, type ApiError, apiError } from "./api.ts";
import { compare } from "./ensure-stream.ts";

/** A consumer as it is wanted. */
export interface ConsumerSpec {
  readonly stream: string;
  /** Durable, of a group; without it the consumer goes when nobody has pulled for a while. */
  readonly durable: string | undefined;
  /** Filters, none covered by another. */
  readonly subjects: readonly string[];
  readonly from: ConsumeSource["from"];
  /** Where given it is compared with a durable that exists. */
  readonly ackWaitMs?: number | undefined;
  readonly maxAckPending?: number | undefined;
  /** A durable may give messages up after some deliveries: they are caught. */
  readonly mayGiveUp?: boolean | undefined;
  /** `none`: what is delivered is done with. Default: `explicit`. */
  readonly ackPolicy?: "none" | undefined;
}

/** A consumer that stands at the server. */
export interface Consumer {
  readonly name: string;
  readonly ackWaitMs: number;
  /** Messages that it has not delivered yet. */
  readonly pending: number;
  /** It was not there before. */
  readonly made: boolean;
}

/** The part of a consumer's configuration that the transport gives or compares. Durations in nanoseconds. */
interface ConsumerConfig {
  readonly durable_name?: string;
  readonly filter_subject?: string;
  readonly filter_subjects?: readonly string[];
  readonly ack_policy: string;
  readonly ack_wait?: number;
  readonly max_deliver?: number;
  readonly max_ack_pending?: number;
}

interface ConsumerInfo {
  readonly name: string;
  readonly config: ConsumerConfig;
  readonly num_pending: number;
  readonly num_ack_pending: number;
  readonly error?: ApiError;
}

const nanoseconds = 1_000_000;
const defaultAckWaitMs = 30_000;
const defaultMaxAckPending = 10_000;
/** How long the server keeps a consumer without a durable name that nobody pulls from: an outage may last so long. */
const inactiveMs = 300_000;
const inactiveReaderMs = 30_000;
const consumerNotFound = 10014;
/** The name exists with another configuration. */
const consumerExists = new Set([10148, 10013]);
/** What a work queue refuses: a second consumer of a subject, another start than the first message, another policy. */
const workQueueRefuses = new Set([10084, 10098, 10099, 10100, 10101]);

/** Where a consumer begins, in the server's words. */
export function startOf(from: ConsumeSource["from"]): object {
  if (from === "new") return { deliver_policy: "new" };
  if (from === "earliest") return { deliver_policy: "all" };
  if (/^[1-9]\d*$/.test(from)) return { deliver_policy: "by_start_sequence", opt_start_seq: Number(from) };
  if (/^\d{4}-\d\d-\d\dT/.test(from) && !Number.isNaN(Date.parse(from))) {
    return { deliver_policy: "by_start_time", opt_start_time: from };
  }
  const text = `jetstream: from: "new", "earliest", a sequence from 1 or an RFC 3339 time, not ${JSON.stringify(from)}`;
  throw new EventError("invalid-option", text.slice(0, 200));
}

/**
 * Makes the consumer; a durable that exists is verified and never changed.
 *
 * Rejects with `configuration-mismatch` for a durable that differs, `unsupported` for what a work queue cannot do, and
 * as the API does.
 */
export async function ensureConsumer(api: Api, spec: ConsumerSpec): Promise<Consumer> {
  const { stream, durable } = spec;
  if (durable !== undefined) {
    const info = await api.request<ConsumerInfo>(`CONSUMER.INFO.${stream}.${durable}`);
    if (!info.error) return verified(spec, info);
    if (info.error.err_code !== consumerNotFound) throw apiError(`cannot read the consumer ${durable}`, info.error);
  }
  // A name of our own choice, so that asking twice for it makes one.
  const name = durable ?? `reader-${defaultIds()}`;
  const config = {
    ...(durable !== undefined && { durable_name: durable }),
    ...(durable === undefined && {
      name,
      inactive_threshold: (spec.ackPolicy === "none" ? inactiveReaderMs : inactiveMs) * nanoseconds,
    }),
    ...(spec.subjects.length === 1 ? { filter_subject: spec.subjects[0] } : { filter_subjects: spec.subjects }),
    ...startOf(spec.from),
    ...(spec.ackPolicy === "none"
      ? { ack_policy: "none", mem_storage: true, num_replicas: 1 }
      : {
          ack_policy: "explicit",
          ack_wait: (spec.ackWaitMs ?? defaultAckWaitMs) * nanoseconds,
          max_deliver: -1,
          max_ack_pending: spec.maxAckPending ?? defaultMaxAckPending,
        }),
  };
  const wanted = { stream_name: stream, config, action: "create" };
  const made = await api.request<ConsumerInfo>(`CONSUMER.CREATE.${stream}.${name}`, wanted);
  if (!made.error) return toConsumer(made, true);
  if (durable !== undefined && consumerExists.has(made.error.err_code)) {
    // Someone else was faster.
    const info = await api.request<ConsumerInfo>(`CONSUMER.INFO.${stream}.${durable}`);
    if (!info.error) return verified(spec, info);
  }
  if (workQueueRefuses.has(made.error.err_code)) {
    const text = `jetstream: the work queue ${stream} has one group per subject, which begins at the first event`;
    throw new EventError("unsupported", `${text}: ${made.error.description} (err_code ${made.error.err_code})`);
  }
  throw apiError(`cannot consume from the stream ${stream}`, made.error);
}

/** Messages that a consumer has not delivered, or whose verdict it does not have. */
export async function consumerLag(api: Api, stream: string, name: string): Promise<number> {
  const info = await api.request<ConsumerInfo>(`CONSUMER.INFO.${stream}.${name}`);
  if (info.error) throw apiError(`cannot read the consumer ${name}`, info.error);
  return info.num_pending + info.num_ack_pending;
}

function verified(spec: ConsumerSpec, info: ConsumerInfo): Consumer {
  const { config } = info;
  const { ackWaitMs, maxAckPending } = spec;
  const what = `consumer ${info.name} of stream ${spec.stream}`;
  const filters = config.filter_subjects ?? (config.filter_subject ? [config.filter_subject] : []);
  compare(what, "filter_subjects", [...spec.subjects].sort(), [...filters].sort());
  compare(what, "ack_policy", "explicit", config.ack_policy);
  // What the server gives up would be lost where nobody catches it.
  if (!spec.mayGiveUp) compare(what, "max_deliver", -1, config.max_deliver);
  if (ackWaitMs !== undefined) compare(what, "ack_wait", ackWaitMs * nanoseconds, config.ack_wait);
  if (maxAckPending !== undefined) compare(what, "max_ack_pending", maxAckPending, config.max_ack_pending);
  return toConsumer(info, false);
}

function toConsumer({ name, config, num_pending: pending }: ConsumerInfo, made: boolean): Consumer {
  return { name, ackWaitMs: (config.ack_wait ?? defaultAckWaitMs * nanoseconds) / nanoseconds, pending, made };
}
