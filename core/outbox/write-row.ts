import { type Context, type TextMapSetter, trace } from "@opentelemetry/api";
import { cloudEventsStructured } from "../codec/cloudevents-structured.ts";
import type { Environment } from "../environment.ts";
import type { CloudEvent } from "../event.ts";
import { writeBaggage, writeTraceContext } from "../propagation/write.ts";
import type { HeaderBinding } from "../transport.ts";

const structured = /* @__PURE__ */ cloudEventsStructured();
/** Of no transport: only the document is kept. */
const binding: HeaderBinding = { prefix: "ce-", contentType: "content-type", percentEncoded: true };

const setter: TextMapSetter<Record<string, string>> = {
  set(headers, name, value) {
    headers[name] = value;
  },
};

/** The event in the JSON format of CloudEvents; throws `invalid-data` for data that has none. */
export function writeEvent(event: CloudEvent): string {
  return structured.encode(event, binding, [], undefined) as string;
}

/** What the propagator of the bus would send of a context, or undefined when that is nothing. */
export function writeContext({ propagator }: Environment, context: Context): string | undefined {
  const headers: Record<string, string> = {};
  if (propagator) propagator.inject(context, headers, setter);
  else {
    writeTraceContext(trace.getSpanContext(context), headers, setter);
    writeBaggage(context, headers, setter);
  }
  return Object.keys(headers).length > 0 ? JSON.stringify(headers) : undefined;
}
