import { type Context, context as contextApi, type Span, SpanKind, trace } from "@opentelemetry/api";
import type { Environment } from "./environment.ts";
import { EventError } from "./errors.ts";
import { type CloudEvent, checkOptional, checkText, type Extensions } from "./event.ts";
import type { Limits } from "./limits.ts";
import type { HeaderEntries, OutgoingMessage } from "./message.ts";
import type { PublishOptions } from "./options.ts";
import { headerSetter, token, writeBaggage, writeTraceContext } from "./propagation/write.ts";
import { checkDestination, type Plan } from "./routing.ts";
import { type Attributes, endSpan } from "./telemetry/tracing.ts";

/** The ways in which an event leaves. `create`: as one of a batch. `reply`: within the span that handles its request. */
export type SendOperation = "publish" | "request" | "create" | "reply";

/** An event on its way to a transport. */
export interface Sending {
  readonly plan: Plan;
  readonly id: string;
  readonly destination: string;
  readonly message: OutgoingMessage;
  readonly span: Span | undefined;
  readonly startedMs: number;
}

/** `source` is another's when an event is forwarded; `copy` tells a copy from the event itself and from other copies. */
export type PrepareOptions = PublishOptions & { readonly source?: string; readonly copy?: string | undefined };

/** Encodes events: checks what the caller chose, opens the span, injects its context. */
export interface Outbound {
  prepare(plan: Plan, data: unknown, options: PrepareOptions, operation: SendOperation): Sending;
}

const noExtensions: Extensions = {};
const reserved = /^(nats-|ce[-_]|waybill-|[tx]raceparent$|tracestate$|baggage$|content-type$|x-b3-|b3$)/i;

/** Makes the encoder of a bus. */
export function createOutbound(env: Environment): Outbound {
  const { clock, codec, ids, limits, propagator, tracing } = env;
  /** Destinations that passed: most repeat, and looking one up is cheaper than testing it. A caller could make up any number. */
  const legal = new Set<string>();
  let lastMs = -1;
  let lastTime = "";

  /** RFC 3339 of a time; events of one millisecond share the text. */
  function timestamp(ms: number): string {
    if (ms !== lastMs) {
      lastMs = ms;
      lastTime = new Date(ms).toISOString();
    }
    return lastTime;
  }

  function prepare(plan: Plan, data: unknown, options: PrepareOptions, operation: SendOperation): Sending {
    const { binding, system, attributes: own, deduplication } = plan.transport.capabilities;
    const { type, locate } = plan;
    const destination = options.destination ?? (locate ? locate({ ...options, type, data }) : plan.destination);
    const foreign = options.source !== undefined;
    const source = options.source ?? env.source;
    if (!legal.has(destination)) {
      checkDestination(destination);
      if (legal.size > 999) legal.clear();
      legal.add(destination);
    }
    const id = options.id ?? ids();
    // Another's event has the key, the version and the time that it came with, or none.
    const definition = foreign ? undefined : plan.definition;
    const key = options.key ?? definition?.key?.(data);
    const startedMs = clock.now();
    checkOptions(options);
    if (key !== undefined) checkText("key", key);
    const event = {
      id,
      source,
      type,
      time: options.time ?? (foreign ? undefined : timestamp(startedMs)),
      subject: options.subject,
      datacontenttype: options.datacontenttype,
      dataschema: options.dataschema ?? definition?.dataschema,
      data,
      extensions: extensionsOf(options, key),
    } as CloudEvent;

    const context: Context = options.context ?? contextApi.active();
    let span: Span | undefined;
    if (operation !== "reply" && tracing.active()) {
      const attributes: Attributes = {
        "messaging.operation.name": operation,
        "messaging.operation.type": operation === "create" ? "create" : "send",
        "messaging.system": system,
        "messaging.destination.name": destination,
      };
      const conversation = event.extensions.correlationid;
      if (conversation !== undefined) attributes["messaging.message.conversation_id"] = conversation;
      if (key !== undefined && own?.key) attributes[own.key] = key;
      span = tracing.start(`${operation} ${destination}`, SpanKind.PRODUCER, attributes, context);
      // Not among what the conventions want a sampler to see, and cheaper here.
      span.setAttribute("messaging.message.id", id);
    }
    try {
      const headers: (string | Uint8Array)[] = [];
      const spanContext = span ? span.spanContext() : trace.getSpanContext(context);
      const body = codec.encode(event, binding, headers, spanContext);
      if (body === null && span && own?.tombstone) span.setAttribute(own.tombstone, true);
      // A context that holds the span is made for a propagator that was passed in: the default ones do without.
      if (propagator) propagator.inject(span ? trace.setSpan(context, span) : context, headers, headerSetter);
      else {
        writeTraceContext(spanContext, headers, headerSetter);
        writeBaggage(context, headers, headerSetter);
      }
      for (const name in options.headers) headers.push(name, options.headers[name]!);
      checkSize(body, headers, limits);
      const dedupId = deduplication ? `${id}:${hash(`${source}\n${destination}${options.copy ?? ""}`)}` : undefined;
      return { plan, id, destination, message: { destination, headers, body, key, dedupId }, span, startedMs };
    } catch (reason) {
      const error = EventError.from(reason, "invalid-data");
      endSpan(span, error);
      throw error;
    }
  }
  return { prepare };
}

/** What the caller chose is checked; what Waybill made itself is right. */
function checkOptions(options: PublishOptions): void {
  if (options.id !== undefined) checkText("id", options.id);
  checkOptional(options);
  for (const name in options.headers) {
    if (reserved.test(name)) throw new EventError("reserved-header", `header "${name}" is reserved`);
    if (!token.test(name) || /[\r\n\0]/.test(options.headers[name]!)) {
      throw new EventError(
        "invalid-header",
        `header ${JSON.stringify(name)}: a name is a token, no value has CR, LF or NUL`,
      );
    }
  }
}

function extensionsOf(options: PublishOptions, key: string | undefined): Extensions {
  if (key === undefined) return options.extensions ?? noExtensions;
  return { ...options.extensions, partitionkey: key };
}

function checkSize(body: string | Uint8Array | null, headers: HeaderEntries, limits: Limits): void {
  const { maxEventBytes, maxHeaderBytes, maxHeaders } = limits;
  let size = 0;
  for (const part of headers) size += part.length;
  limit("headers", headers.length / 2, maxHeaders);
  limit("characters of headers", size, maxHeaderBytes);
  // A UTF-16 unit takes three bytes at most, so that short text needs no counting.
  if (body === null || body.length * 3 <= maxEventBytes) return;
  limit("bytes", typeof body === "string" ? new TextEncoder().encode(body).length : body.length, maxEventBytes);
}

function limit(what: string, found: number, allowed: number): void {
  if (found > allowed) throw new EventError("too-large", `${found} ${what}, ${allowed} allowed`);
}

/** FNV-1a, 32 bits. The id in front tells events apart; the hash only tells its copies apart. */
function hash(text: string): string {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return (value >>> 0).toString(36);
}
