import { EventError } from "../../core/errors.ts";
import { type Api, type ApiError, apiError } from "./api.ts";
import { compare, readStream, type StreamConfig } from "./ensure-stream.ts";
import { covers, widest } from "./subjects.ts";

/** What a stream is for, in its metadata: such a stream is the transport's own. */
const roleName = "waybill-role";
const nameTaken = 10058;
const subjectsOverlap = 10065;
/** Somebody else may provide the same at the same time. */
const tries = 5;

/** A stream as the transport provides it. */
export interface OwnStream extends StreamConfig {
  readonly retention: "limits" | "workqueue";
  readonly role: "dead-letter" | "given-up";
}

/**
 * Creates the stream, or verifies that one of its name keeps what it is for: its retention, and that it takes the
 * subjects. One that was made here, which its metadata says, is extended where it lacks a subject because its source
 * got new ones; that adds subjects and changes nothing else. Rejects with `configuration-mismatch` for any other.
 */
export async function provideStream(api: Api, { role, ...wanted }: OwnStream): Promise<void> {
  const { name, subjects, retention } = wanted;
  for (let n = 0; n < tries; n++) {
    const found = await readStream(api, name);
    if (!found) {
      const metadata = { ...wanted.metadata, [roleName]: role };
      const { error } = await api.request<{ error?: ApiError }>(`STREAM.CREATE.${name}`, { ...wanted, metadata });
      if (error && error.err_code !== nameTaken) throw refusal(name, subjects, error);
      continue;
    }
    verifyKeeps(found, retention);
    const lacking = subjects.filter((subject) => !found.subjects.some((each) => covers(each, subject)));
    if (lacking.length === 0) return;
    if (found.metadata?.[roleName] !== role) compare(`stream ${name}`, "subjects", subjects, found.subjects);
    const extended = { ...found, subjects: widest([...found.subjects, ...lacking]) };
    const { error } = await api.request<{ error?: ApiError }>(`STREAM.UPDATE.${name}`, extended);
    if (error) throw refusal(name, lacking, error);
  }
  throw new EventError("transport-failed", `jetstream: somebody else changes the stream ${name}`, { retryable: true });
}

/** Throws `configuration-mismatch` for a stream that removes what it is to keep. */
export function verifyKeeps(found: StreamConfig, retention: "limits" | "workqueue"): void {
  compare(`stream ${found.name}`, "retention", retention, found.retention);
  compare(`stream ${found.name}`, "max_msgs_per_subject", -1, found.max_msgs_per_subject ?? -1);
}

function refusal(name: string, subjects: readonly string[], error: ApiError): EventError {
  if (error.err_code !== subjectsOverlap) return apiError(`cannot provide the stream ${name}`, error);
  const text = `jetstream: another stream takes some of ${subjects.join(", ")}, which ${name} is to take`;
  return new EventError("configuration-mismatch", text);
}
