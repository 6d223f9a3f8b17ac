import { EventError } from "../../core/errors.ts";
import { type ApiError, apiError } from "./api.ts";
import { compare, readStream } from "./ensure-stream.ts";
import type { ReceiveContext } from "./receive-context.ts";

/** The stream behind a bucket of NATS KV. */
export interface Bucket {
  readonly stream: string;
  /** What stands before a key in the subject that stores it. */
  readonly prefix: string;
}

const bucketName = /^[\w-]{1,200}$/;
const nanoseconds = 1_000_000;
/** What the server takes for a duplicate window unless told otherwise; longer than messages live it may not be. */
const defaultWindowMs = 120_000;
/** Below this the server refuses to forget. */
const minTtlMs = 100;
const nameTaken = 10058;

/**
 * Makes a bucket in the format of NATS KV (ADR-8) with a history of one, or verifies one that is there: its subjects,
 * history and age. A new one has as many copies as the most replicated of the transport's `streams`.
 *
 * Rejects with `invalid-option` and `configuration-mismatch`.
 */
export async function provideBucket(context: ReceiveContext, name: string, ttlMs: number | undefined): Promise<Bucket> {
  if (!bucketName.test(name)) throw refused(`${JSON.stringify(name).slice(0, 80)} is no name of a store`);
  if (ttlMs !== undefined && !(ttlMs >= minTtlMs)) throw refused(`ttlMs must be ${minTtlMs} or more, not ${ttlMs}`);
  const { api, options } = context;
  const stream = `KV_${name}`;
  const prefix = `$KV.${name}.`;
  const kept = {
    subjects: [`${prefix}>`],
    retention: "limits",
    max_msgs_per_subject: 1,
    max_age: Math.round((ttlMs ?? 0) * nanoseconds),
  };
  const verified = async (): Promise<boolean> => {
    const found = await readStream(api, stream);
    if (found)
      for (const [field, wanted] of Object.entries(kept))
        compare(`stream ${stream}`, field, wanted, Reflect.get(found, field));
    return found !== undefined;
  };
  if (!(await verified())) {
    const { error } = await api.request<{ error?: ApiError }>(`STREAM.CREATE.${stream}`, {
      name: stream,
      ...kept,
      storage: "file",
      num_replicas: Math.max(1, ...(options.streams ?? []).map(({ replicas = 1 }) => replicas)),
      discard: "new",
      max_consumers: -1,
      max_msgs: -1,
      max_bytes: -1,
      max_msg_size: -1,
      duplicate_window: Math.min(ttlMs ?? defaultWindowMs, defaultWindowMs) * nanoseconds,
      allow_rollup_hdrs: true,
      allow_direct: true,
      deny_delete: true,
      deny_purge: false,
    });
    // Someone else was faster.
    const there = error?.err_code === nameTaken && (await verified());
    if (error && !there) throw apiError(`cannot create the bucket ${name}`, error);
  }
  return { stream, prefix };
}

/** The error of a call that can never succeed. */
export function refused(text: string): EventError {
  return new EventError("invalid-option", `jetstream: ${text}`);
}
