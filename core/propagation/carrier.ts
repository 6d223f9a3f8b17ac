import type { TextMapGetter, TextMapSetter } from "@opentelemetry/api";
import type { CloudEvent } from "../event.ts";
import type { IncomingMessage } from "../message.ts";

/** Appends to the flat headers of an outgoing message. */
export const headerSetter: TextMapSetter<(string | Uint8Array)[]> = {
  set(headers, name, value) {
    headers.push(name, value);
  },
};

/** What trace context is read from. */
export interface ReceivedEvent {
  readonly message: IncomingMessage;
  readonly event: CloudEvent | undefined;
}

function read({ message, event }: ReceivedEvent, name: string): readonly string[] {
  const { headers } = message;
  const isParent = name.toLowerCase() === "traceparent";
  let values = headers.getAll(name);
  // nats-server 2.11.0–2.11.17 and 2.12.0–2.12.11 rename the header once account tracing is on.
  if (values.length === 0 && isParent) values = headers.getAll("Xraceparent");
  if (values.length > 0 || !event) return values;
  // The event's own copy is the creation context, or what an envelope's ids say. Its state belongs to its parent.
  if (!isParent && headers.get("traceparent") !== undefined) return values;
  const own = event.extensions[name];
  return own === undefined ? values : [String(own)];
}

/** Reads headers first, then the event's extensions: `traceparent`, `Xraceparent`, `ce-traceparent`, envelope ids. */
export const receivedGetter: TextMapGetter<ReceivedEvent> = {
  get(carrier, name) {
    const values = read(carrier, name);
    return values.length > 1 ? [...values] : values[0];
  },
  keys: ({ message, event }) => [...message.headers.keys(), ...Object.keys(event?.extensions ?? {})],
};
