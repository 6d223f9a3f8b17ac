import type { TextMapGetter } from "@opentelemetry/api";
import type { CloudEvent } from "../event.ts";
import type { IncomingMessage } from "../message.ts";

/** What trace context is read from. */
export interface ReceivedEvent {
  readonly message: Pick<IncomingMessage, "headers">;
  readonly event?: CloudEvent | undefined;
}

function read({ message: { headers }, event }: ReceivedEvent, name: string): readonly string[] {
  let parents = headers.getAll("traceparent");
  // nats-server 2.11.0–2.11.17 and 2.12.0–2.12.11 rename the header once account tracing is on.
  if (parents.length === 0) parents = headers.getAll("Xraceparent");
  const values = name === "traceparent" ? parents : headers.getAll(name);
  // Without a parent in the headers the event's own counts: the creation context, or what an envelope's ids say.
  // A state belongs to its parent, wherever that stands.
  if (parents.length > 0 || (values.length > 0 && name !== "tracestate")) return values;
  const own = event?.extensions[name] ?? envelopeId(event, name);
  return own === undefined ? [] : [String(own)];
}

/** An envelope is read with its ids as the event's `traceparent`, sampled; here they have their own names again. */
function envelopeId(event: CloudEvent | undefined, name: string): string | undefined {
  if (name !== "trace_id" && name !== "span_id") return undefined;
  const ids = sampledParent.exec(String(event?.extensions.traceparent))?.groups;
  return ids?.[name];
}

const sampledParent = /^00-(?<trace_id>[0-9a-f]{32})-(?<span_id>[0-9a-f]{16})-01$/;

/** Reads headers first, then the event's extensions: `traceparent`, `Xraceparent`, `ce-traceparent`, envelope ids. */
export const receivedGetter: TextMapGetter<ReceivedEvent> = {
  get(carrier, name) {
    const values = read(carrier, name);
    return values.length > 1 ? [...values] : values[0];
  },
  keys: ({ message, event }) => [...message.headers.keys(), ...Object.keys(event?.extensions ?? {})],
};
