import { EventError } from "../../core/errors.ts";
import { defaultIds } from "../../core/id.ts";
import type { HeaderCarrier } from "../../core/message.ts";
import type { StateEntry, StateOptions, StateStore } from "../../core/transport.ts";
import { headerBlock } from "../nats/header-block.ts";
import { headerCarrier } from "../nats/header-carrier.ts";
import { type ApiError, apiError } from "./api.ts";
import { type Bucket, provideBucket, refused } from "./bucket.ts";
import { readSource } from "./read.ts";
import type { ReceiveContext } from "./receive-context.ts";
import { getStored } from "./stored-message.ts";

/** What stands under a key. */
interface Last extends StateEntry {
  /** Set by whoever wrote it. */
  readonly id: string | undefined;
  /** A deletion stands there. */
  readonly removed: boolean;
}

/** What became of a write; `unsure`: it was sent several times, and an earlier one may have succeeded. */
type Written = { readonly revision: number } | { readonly revision: undefined; readonly unsure: boolean };

interface Answer {
  readonly seq?: number;
  readonly error?: ApiError;
}

const keyPattern = /^(?=.{1,1000}$)[\w=-]+(\.[\w=-]+)*$/;
/** The key's revision is another, and the same of a write that is still on its way to all copies. */
const wrongRevision = new Set([10071, 10164]);
/** Larger than the stream takes. */
const tooLarge = new Set([10054]);
/** A key that is removed again and again, between a look and a write. */
const tries = 5;
const encoder = /* @__PURE__ */ new TextEncoder();
const decoder = /* @__PURE__ */ new TextDecoder();

/**
 * Opens a bucket of NATS KV as a store. A revision is the sequence in the bucket's stream.
 *
 * The server forgets what is older than `ttlMs`, up to a second late.
 *
 * Reads ask the leader: a copy may answer a direct get and be behind, and a claim that was confirmed would look free.
 */
export async function openState(context: ReceiveContext, name: string, { ttlMs }: StateOptions): Promise<StateStore> {
  return new JetStreamState(context, await provideBucket(context, name, ttlMs));
}

class JetStreamState implements StateStore {
  readonly #context: ReceiveContext;
  readonly #bucket: Bucket;
  /** Where it is published to, which a domain changes. */
  readonly #subject: string;

  constructor(context: ReceiveContext, bucket: Bucket) {
    this.#context = context;
    this.#bucket = bucket;
    const { api, options } = context;
    this.#subject = options.domain === undefined ? bucket.prefix : `${api.prefix}${bucket.prefix}`;
  }

  async get(key: string): Promise<StateEntry | undefined> {
    const last = await this.#last(key);
    return last && !last.removed ? { value: last.value, revision: last.revision } : undefined;
  }

  async put(key: string, value: string, revision: number): Promise<number | undefined> {
    let expected = revision;
    for (let n = 0; n < tries; n++) {
      const written = await this.#write(key, value, expected);
      if (written.revision !== undefined) return written.revision;
      if (written.unsure) throw unknown(key);
      // A deletion has a revision of its own, and there is no entry all the same.
      const last = revision === 0 ? await this.#last(key) : undefined;
      if (revision !== 0 || (last && !last.removed)) return undefined;
      expected = last?.revision ?? 0;
    }
    const text = `jetstream: ${key} is removed again and again`;
    throw new EventError("transport-failed", text, { retryable: true, outcome: "failed", retrySafe: true });
  }

  async delete(key: string, revision: number): Promise<boolean> {
    if (revision > 0 && (await this.#write(key, "", revision, "DEL")).revision !== undefined) return true;
    const last = await this.#last(key);
    return !last || last.removed;
  }

  async *entries(): AsyncIterable<StateEntry & { readonly key: string }> {
    const { stream, prefix } = this.#bucket;
    const source = { stream, subjects: [`${prefix}>`], partition: undefined };
    for await (const { destination, headers, body, position } of readSource(
      this.#context,
      source,
      "earliest",
      undefined,
    )) {
      if (isRemoval(headers)) continue;
      yield { key: destination.slice(prefix.length), value: decoder.decode(body), revision: Number(position) };
    }
  }

  /** Asks for a write until the server answers. Its own earlier copy is not taken for that of a rival. */
  async #write(key: string, value: string, revision: number, operation?: "DEL"): Promise<Written> {
    check(key);
    const id = defaultIds();
    const entries = ["Nats-Expected-Last-Subject-Sequence", String(revision), "Nats-Msg-Id", id];
    const block = encoder.encode(headerBlock(operation ? [...entries, "KV-Operation", operation] : entries));
    const headers = { encode: () => block };
    let sends = 0;
    let answer: Answer;
    try {
      answer = await this.#context.api.exchange(this.#subject + key, encoder.encode(value), headers, () => sends++);
    } catch (reason) {
      const { code, message, retryable } = EventError.from(reason);
      // Where nobody listened, or the client refused it, nothing was stored.
      const never = sends === 0 || (sends === 1 && (code === "unreachable" || code === "too-large"));
      const outcome = never ? "failed" : "unknown";
      throw new EventError(code, message, { cause: reason, retryable, outcome, retrySafe: false });
    }
    const { error, seq } = answer;
    if (seq && !error) return { revision: seq };
    if (!error || !wrongRevision.has(error.err_code)) throw refusal(key, error);
    if (sends === 1) return { revision: undefined, unsure: false };
    const last = await this.#last(key);
    return last?.id === id ? { revision: last.revision } : { revision: undefined, unsure: true };
  }

  async #last(key: string): Promise<Last | undefined> {
    check(key);
    const { stream, prefix } = this.#bucket;
    const found = await getStored(this.#context.api, stream, { last_by_subj: prefix + key });
    if (!found) return undefined;
    const headers = headerCarrier(found.message);
    return {
      value: decoder.decode(found.message.data),
      revision: found.stored.sequence,
      id: headers.get("Nats-Msg-Id"),
      removed: isRemoval(headers),
    };
  }
}

/** Deletions, purges, and what the server writes in place of what has expired. */
function isRemoval(headers: HeaderCarrier): boolean {
  return headers.get("KV-Operation") !== undefined || headers.get("Nats-Marker-Reason") !== undefined;
}

function check(key: string): void {
  if (!keyPattern.test(key)) throw refused(`${JSON.stringify(key).slice(0, 80)} is no key`);
}

/** The server's answer to a write that is no question of revisions. */
function refusal(key: string, error: ApiError | undefined): EventError {
  if (!error)
    return new EventError("transport-failed", `jetstream: no stream answered for ${key}`, { outcome: "unknown" });
  const { message, retryable } = apiError(`cannot write ${key}`, error);
  const code = tooLarge.has(error.err_code) ? "too-large" : "transport-failed";
  return new EventError(code, message, { retryable, outcome: "failed", retrySafe: true });
}

function unknown(key: string): EventError {
  const text = `jetstream: nobody can tell whether ${key} was written before the connection broke: another is there now`;
  return new EventError("transport-failed", text, { retryable: true, outcome: "unknown", retrySafe: false });
}
