import type { NatsMessageLike } from "../nats/nats-like.ts";
import { type Api, type ApiError, apiError } from "./api.ts";
import type { Standing } from "./incoming.ts";

/** A message that was asked for by its place, in the form in which clients hand messages out. */
export interface FoundMessage {
  readonly message: NatsMessageLike;
  readonly stored: Standing;
}

interface Answer {
  readonly message?: {
    readonly subject: string;
    readonly seq: number;
    readonly time: string;
    readonly hdrs?: string;
    readonly data?: string;
  };
  readonly error?: ApiError;
}

const messageNotFound = 10037;

/**
 * Gets one message from the leader of a stream, which knows all that was confirmed: any copy may answer a direct get,
 * and be behind. Undefined: it is not there, or not any more.
 */
export async function getStored(
  api: Api,
  stream: string,
  place: { readonly seq: number } | { readonly last_by_subj: string },
): Promise<FoundMessage | undefined> {
  const { message: found, error } = await api.request<Answer>(`STREAM.MSG.GET.${stream}`, place);
  if (error?.err_code === messageNotFound) return undefined;
  if (error || !found) throw apiError(`cannot get a message of ${stream}`, error!);
  const block = bytesOf(found.hdrs);
  const message = { subject: found.subject, data: bytesOf(found.data), ...asReceived(block) };
  return { message, stored: { sequence: found.seq, timestampMs: Math.floor(Date.parse(found.time)) } };
}

/** Removes one message. Nothing where it is gone already. */
export async function removeStored(api: Api, stream: string, seq: number): Promise<void> {
  const { error } = await api.request<{ error?: ApiError }>(`STREAM.MSG.DELETE.${stream}`, { seq, no_erase: true });
  // Which of them it is depends on how the stream is stored.
  if (error && !/not found|no message/i.test(error.description))
    throw apiError(`cannot remove ${seq} of ${stream}`, error);
}

/** The header block where clients keep that of a message they received, so that it is read in the same way. */
function asReceived(block: Uint8Array): object {
  return { _rdata: block, _msg: { hdr: block.length } };
}

function bytesOf(base64 = ""): Uint8Array {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let n = 0; n < text.length; n++) bytes[n] = text.charCodeAt(n);
  return bytes;
}
