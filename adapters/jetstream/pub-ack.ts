import { EventError } from "../../core/errors.ts";
import type { NatsMessageLike } from "../nats/nats-like.ts";

/** What the server answered to a publish. */
export type PubAck =
  | { readonly kind: "stored"; readonly sequence: number; readonly duplicate: boolean }
  /** Not stored; `passing` where it may be otherwise in a moment. */
  | { readonly kind: "refused"; readonly error: EventError; readonly passing: boolean };

interface Answer {
  readonly stream?: unknown;
  readonly seq?: unknown;
  readonly duplicate?: unknown;
  readonly error?: { readonly code?: unknown; readonly err_code?: unknown; readonly description?: unknown };
}

/** Larger than the stream allows, or its headers larger than JetStream does. */
const tooLarge = new Set<unknown>([10054, 10097]);
/** The stream is full and refuses what is new. */
const full = 10077;

const decoder = /* @__PURE__ */ new TextDecoder();

/** Reads the answer to a publish on `subject`; undefined for what is none. */
export function parsePubAck(subject: string, { data, headers }: NatsMessageLike): PubAck | undefined {
  if (data.length === 0) {
    if (headers?.code !== 503) return undefined;
    const text = `jetstream: no stream takes ${subject}, or none that answers`;
    return { kind: "refused", error: new EventError("no-responders", text, { retryable: true }), passing: true };
  }
  let answer: Answer;
  try {
    answer = JSON.parse(decoder.decode(data));
  } catch {
    return undefined;
  }
  const { error } = answer;
  if (error) {
    const code = tooLarge.has(error.err_code) ? "too-large" : "transport-failed";
    const text = `jetstream: ${subject} was refused: ${error.description} (err_code ${error.err_code})`;
    // 503 is a cluster without a leader or a lack of resources, 429 too many messages at once.
    const retryable = error.code === 503 || error.code === 429;
    const passing = retryable && error.err_code !== full;
    return { kind: "refused", error: new EventError(code, text, { retryable }), passing };
  }
  // Any plain subscriber may answer a message with a reply subject: only JetStream names a stream.
  if (typeof answer.stream !== "string" || typeof answer.seq !== "number") return undefined;
  return { kind: "stored", sequence: answer.seq, duplicate: answer.duplicate === true };
}
