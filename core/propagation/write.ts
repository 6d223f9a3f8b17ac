import { type Context, propagation, type SpanContext, type TextMapSetter } from "@opentelemetry/api";

/** Appends to the flat headers of an outgoing message. */
export const headerSetter: TextMapSetter<(string | Uint8Array)[]> = {
  set(headers, name, value) {
    headers.push(name, value);
  },
};

/** Sampled and random-trace-id; other bits have no meaning yet and must be sent as zero. */
export const knownFlags = 0x03;

const legalTraceId = /^(?!0{32})[\da-f]{32}$/;
/** The last one that passed: the events of a request share theirs, and comparing is cheaper than testing. */
let lastTraceId = "";
const legalSpanId = /^(?!0{16})[\da-f]{16}$/;

/** Cuts a `tracestate` to `maxLength` by whole members: first those over 128 characters, then from the end. */
function cutTraceState(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text;
  const members = text.split(",").filter((member) => member.length <= 128);
  while (members.join(",").length > maxLength) members.pop();
  return members.join(",");
}

/** The writing half of `w3cTraceContext`. */
export function writeTraceContext<Carrier>(
  span: SpanContext | undefined,
  carrier: Carrier,
  setter: TextMapSetter<Carrier>,
  maxStateLength = 512,
): void {
  if (!span) return;
  const { traceId, spanId } = span;
  // Tested one by one: a test of the joined text would copy its parts together first.
  if (traceId !== lastTraceId && !legalTraceId.test(traceId)) return;
  lastTraceId = traceId;
  if (!legalSpanId.test(spanId)) return;
  setter.set(carrier, "traceparent", `00-${traceId}-${spanId}-0${span.traceFlags & knownFlags}`);
  const state = span.traceState && cutTraceState(span.traceState.serialize(), maxStateLength);
  if (state) setter.set(carrier, "tracestate", state);
}

/** What may stand as the key of a baggage member. */
export const token: RegExp = /^[!#$%&'*+.^_`|~\w-]+$/;
const unsafe = /[^!#$&-+\--:<-[\]-~]/gu; // what a value must percent-encode, the percent sign included

/** The writing half of `w3cBaggage`. */
export function writeBaggage<Carrier>(
  context: Context,
  carrier: Carrier,
  setter: TextMapSetter<Carrier>,
  maxBytes = 8192,
  maxMembers = 180,
): void {
  let text = "";
  let members = 0;
  for (const [key, { value, metadata }] of propagation.getBaggage(context)?.getAllEntries() ?? []) {
    const properties = metadata?.toString() ?? "";
    if (!token.test(key) || /[^ -+\--~\t]/.test(properties)) continue; // what cannot stand in a member
    // Lone surrogates have no UTF-8: they become U+FFFD, so that encoding never throws.
    const encoded = value.replace(/\p{Cs}/gu, "\ufffd").replace(unsafe, encodeURIComponent);
    const member = `${text && ","}${key}=${encoded}${properties && `;${properties}`}`;
    if (text.length + member.length > maxBytes || ++members > maxMembers) break;
    text += member;
  }
  if (text) setter.set(carrier, "baggage", text);
}
