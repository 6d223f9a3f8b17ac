import { type Context, diag, type Link, ROOT_CONTEXT, type TextMapPropagator, trace } from "@opentelemetry/api";
import type { Environment } from "./environment.ts";
import type { CloudEvent } from "./event.ts";
import type { IncomingMessage } from "./message.ts";
import { type ReceivedEvent, receivedGetter } from "./propagation/carrier.ts";
import { parseTraceParent, readBaggage, readTraceContext } from "./propagation/read.ts";
import { type StandardSchema, validate } from "./schema.ts";
import type { Attributes } from "./telemetry/tracing.ts";
import type { Capabilities } from "./transport.ts";
import type { Versions } from "./versions.ts";

/** Makes of a received event what a handler gets. */
export interface Reader {
  /** The event in its current version, with its data as the schema's output. */
  typed(event: CloudEvent): CloudEvent | Promise<CloudEvent>;
  /** The context that the sender gave. */
  extract(received: ReceivedEvent): Context;
}

/** Makes the reader of a bus. */
export function createReader({ router, propagator }: Environment, versions: Versions): Reader {
  return {
    typed(received) {
      const event = versions.lift(received);
      const schema = router.definition(event.type)?.schema;
      return schema ? checked(schema, event) : event;
    },
    extract(received) {
      if (propagator) return safely(propagator, received);
      return readBaggage(readTraceContext(ROOT_CONTEXT, received, receivedGetter), received, receivedGetter);
    },
  };
}

/** A propagator that throws on what a sender wrote costs the trace, not the event. */
function safely(propagator: TextMapPropagator, received: ReceivedEvent): Context {
  try {
    return propagator.extract(ROOT_CONTEXT, received, receivedGetter);
  } catch (reason) {
    diag.warn("waybill: the propagator threw while it read a message", reason);
    return ROOT_CONTEXT;
  }
}

async function checked(schema: StandardSchema, event: CloudEvent): Promise<CloudEvent> {
  const data = await validate(schema, event.data, `event ${event.id} of type "${event.type}"`);
  return data === event.data ? event : Object.freeze({ ...event, data });
}

/** Adds what tells one message from others, for its span or the link to it. */
export function describeMessage(
  attributes: Attributes,
  { attributes: own }: Capabilities,
  { destination, partition, offset, key, body }: IncomingMessage,
  { id, extensions }: CloudEvent,
): Attributes {
  attributes["messaging.destination.name"] = destination;
  attributes["messaging.message.id"] = id;
  if (partition !== undefined) attributes["messaging.destination.partition.id"] = String(partition);
  if (offset !== undefined && own?.offset) attributes[own.offset] = offset;
  if (key !== undefined && own?.key) attributes[own.key] = key;
  if (body === null && own?.tombstone) attributes[own.tombstone] = true;
  const conversation = extensions.correlationid;
  if (conversation !== undefined) attributes["messaging.message.conversation_id"] = conversation;
  return attributes;
}

/** To the creation context, which no hop rewrites; a first hop's own header is that. */
export function linksTo(event: CloudEvent, sent: Context): Link[] {
  const created = event.extensions.traceparent;
  const context = (created !== undefined && parseTraceParent(String(created))) || trace.getSpanContext(sent);
  return context ? [{ context }] : [];
}
