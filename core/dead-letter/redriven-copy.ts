import { type Context, ROOT_CONTEXT, type Span, trace } from "@opentelemetry/api";
import { rebind } from "../codec/rebind.ts";
import { control, redriveHeaders } from "../delivery/letter.ts";
import type { Environment } from "../environment.ts";
import type { CloudEvent } from "../event.ts";
import type { HeaderEntries, OutgoingMessage } from "../message.ts";
import { receivedGetter } from "../propagation/carrier.ts";
import { readTraceContext } from "../propagation/read.ts";
import { headerSetter, writeTraceContext } from "../propagation/write.ts";
import { spanKinds } from "../telemetry/span-kinds.ts";
import type { HeaderBinding } from "../transport.ts";
import type { StoredLetter } from "./letter-view.ts";
import type { Target } from "./target.ts";

type Headers = (string | Uint8Array)[];

/** A copy on its way, and the span that sends it. */
export interface RedrivenCopy {
  readonly message: OutgoingMessage;
  readonly span: Span | undefined;
}

const traceHeaders = /^(traceparent|tracestate|xraceparent)$/i;

/**
 * The copy of a letter's event for the group that failed. The message goes as it was; what goes on is the trace: the
 * copy's span is a child of the event's own, and the event keeps the context in which it was made. `front`: of a parked
 * key, how far it had gone by the last letter that was read.
 */
export function redrivenCopy(
  env: Environment,
  { letter, facts, carrier }: StoredLetter,
  target: Target,
  from: HeaderBinding,
  front: string | undefined,
  changed: CloudEvent | undefined,
): RedrivenCopy {
  const { tracing, codec } = env;
  const { binding, system } = target.transport.capabilities;
  const { destination } = target;
  const context: Context = readTraceContext(ROOT_CONTEXT, { message: { headers: carrier } }, receivedGetter);
  const span = tracing.active()
    ? tracing.start(
        `publish ${destination}`,
        spanKinds.publish,
        {
          "messaging.operation.name": "publish",
          "messaging.operation.type": "send",
          "messaging.system": system,
          "messaging.destination.name": destination,
          ...(letter.event && { "messaging.message.id": letter.event.id }),
        },
        context,
      )
    : undefined;
  const original = trace.getSpanContext(context);
  const headers: Headers = [];
  let body: OutgoingMessage["body"] = letter.raw.body;
  if (changed) {
    headers.push(...plain(letter.raw.headers, from));
    body = codec.encode(withCreation(changed, original), binding, headers, span?.spanContext() ?? original);
  } else {
    headers.push(...rebind(without(letter.raw.headers, traceHeaders), from, binding));
    const created: string[] = [];
    writeTraceContext(original, created, headerSetter);
    // Only in binary mode are extensions headers.
    const binary = carrier.get(`${from.prefix}specversion`) !== undefined;
    if (binary && created.length > 0 && letter.event?.extensions.traceparent === undefined) {
      for (let i = 0; i < created.length; i += 2) headers.push(binding.prefix + created[i]!, created[i + 1]!);
    }
  }
  writeTraceContext(span?.spanContext() ?? original, headers, headerSetter);
  const count = facts.redrives + 1;
  if (facts.group !== undefined) headers.push(redriveHeaders.group, facts.group);
  headers.push(redriveHeaders.count, String(count));
  headers.push(redriveHeaders.originLane, facts.originLane, redriveHeaders.originPosition, facts.originPosition);
  headers.push(redriveHeaders.letter, facts.id);
  if (front !== undefined) headers.push(redriveHeaders.front, front);
  const dedupId = `redrive:${count}:${facts.id}`;
  return { message: { destination, headers, body, key: letter.key, dedupId }, span };
}

/** Says to the group that everything of a key was redriven up to that letter. Follows the copies, in their order. */
export function releaseMessage({ letter, facts }: StoredLetter, target: Target, last: string): OutgoingMessage {
  const { binding } = target.transport.capabilities;
  const key = letter.key ?? "";
  const written = binding.percentEncoded ? encodeURIComponent(key) : key;
  return {
    destination: target.destination,
    headers: [
      ...[`${binding.prefix}partitionkey`, written],
      ...[redriveHeaders.group, facts.group ?? "", redriveHeaders.release, last],
    ],
    body: new Uint8Array(),
    key,
    dedupId: `release:${last}`,
  };
}

function withCreation(event: CloudEvent, original: ReturnType<typeof trace.getSpanContext>): CloudEvent {
  if (event.extensions.traceparent !== undefined) return event;
  const created: Record<string, string> = {};
  writeTraceContext(original, created, { set: (into, name, value) => Object.assign(into, { [name]: value }) });
  return { ...event, extensions: { ...event.extensions, ...created } };
}

/** Headers that say nothing of the event itself: what the sender added. */
function plain(headers: HeaderEntries, { prefix, contentType }: HeaderBinding): Headers {
  const kept: Headers = [];
  for (let i = 0; i < headers.length; i += 2) {
    const name = String(headers[i]).toLowerCase();
    const own = name.startsWith(prefix) || name === contentType || name === "content-type" || traceHeaders.test(name);
    if (!own && !control.test(name)) kept.push(headers[i]!, headers[i + 1]!);
  }
  return kept;
}

function without(headers: HeaderEntries, names: RegExp): Headers {
  const kept: Headers = [];
  for (let i = 0; i < headers.length; i += 2) {
    if (!names.test(String(headers[i]))) kept.push(headers[i]!, headers[i + 1]!);
  }
  return kept;
}
