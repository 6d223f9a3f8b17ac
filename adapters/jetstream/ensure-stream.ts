import { EventError } from "../../core/errors.ts";
import { type Api, type ApiError, apiError } from "./api.ts";
import type { StreamSpec } from "./options.ts";
import { partitionSubject } from "./partitions.ts";

/** The part of a stream's configuration that the transport gives or compares. Durations in nanoseconds. */
export interface StreamConfig {
  readonly name: string;
  readonly subjects: readonly string[];
  readonly retention?: string | undefined;
  readonly max_age?: number | undefined;
  readonly max_bytes?: number | undefined;
  readonly max_msgs?: number | undefined;
  readonly max_msgs_per_subject?: number | undefined;
  readonly storage?: string | undefined;
  readonly num_replicas?: number | undefined;
  readonly duplicate_window?: number | undefined;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}

const nanoseconds = 1_000_000;
/** Where a stream keeps its number of partitions, so that all sides have to agree. */
const partitionsName = "waybill-partitions";
const streamNotFound = 10059;
const nameTaken = 10058;

/** What a spec asks for; what it leaves out stays as the server has it. */
function wantedConfig(spec: StreamSpec): StreamConfig {
  const { name, retention, maxAgeMs, maxBytes, storage, replicas, duplicateWindowMs, partitions } = spec;
  const subjects =
    partitions === undefined ? spec.subjects : spec.subjects.map((subject) => partitionSubject("*", subject));
  return {
    name,
    subjects: [...subjects].sort(),
    ...(retention !== undefined && { retention }),
    ...(maxAgeMs !== undefined && { max_age: maxAgeMs * nanoseconds }),
    ...(maxBytes !== undefined && { max_bytes: maxBytes }),
    ...(storage !== undefined && { storage }),
    ...(replicas !== undefined && { num_replicas: replicas }),
    ...(duplicateWindowMs !== undefined && { duplicate_window: duplicateWindowMs * nanoseconds }),
    ...(partitions !== undefined && { metadata: { [partitionsName]: String(partitions) } }),
  };
}

/**
 * Creates a stream that is absent and verifies one that is there. Rejects with `configuration-mismatch` when it
 * differs in a field that the spec gives, and changes nothing.
 */
export async function ensureStream(api: Api, spec: StreamSpec): Promise<void> {
  const wanted = wantedConfig(spec);
  if (await verified(api, wanted, spec)) return;
  const { error } = await api.request<object>(`STREAM.CREATE.${spec.name}`, wanted);
  if (!error) return;
  // Someone else was faster.
  if (error.err_code === nameTaken && (await verified(api, wanted, spec))) return;
  throw apiError(`cannot create the stream ${spec.name}`, error);
}

/** False: there is no such stream. */
async function verified(api: Api, wanted: StreamConfig, { name, partitions }: StreamSpec): Promise<boolean> {
  const config = await readStream(api, name);
  if (!config) return false;
  const found = { ...config, subjects: [...config.subjects].sort() };
  for (const field of Object.keys(wanted) as (keyof StreamConfig)[]) {
    if (field !== "metadata") compare(`stream ${name}`, field, wanted[field], found[field]);
  }
  compare(`stream ${name}`, "partitions", partitions, partitionsOf(found));
  return true;
}

/** The configuration of a stream; undefined where there is none. */
export async function readStream(api: Api, name: string): Promise<StreamConfig | undefined> {
  const ask = () => api.request<{ config: StreamConfig; error?: ApiError }>(`STREAM.INFO.${name}`);
  // While the copies of a new stream choose their leader nobody answers, and this request is lost.
  const { error, config } = await ask().catch((reason) => {
    if (reason instanceof EventError && reason.code === "timeout") return ask();
    throw reason;
  });
  if (error?.err_code === streamNotFound) return undefined;
  if (error) throw apiError(`cannot read the stream ${name}`, error);
  return { ...config, subjects: config.subjects ?? [] };
}

/** How many partitions a stream was made with; undefined for none. */
export function partitionsOf({ metadata }: StreamConfig): number | undefined {
  const kept = metadata?.[partitionsName];
  return kept === undefined ? undefined : Number(kept);
}

/** Throws `configuration-mismatch` unless both are the same. */
export function compare(what: string, field: string, wanted: unknown, found: unknown): void {
  const [mine, theirs] = [JSON.stringify(wanted), JSON.stringify(found)];
  if (mine === theirs) return;
  const text = `jetstream: ${what} has ${field} ${theirs ?? "unset"}, wanted is ${mine ?? "unset"}; nothing was changed`;
  throw new EventError("configuration-mismatch", text);
}
