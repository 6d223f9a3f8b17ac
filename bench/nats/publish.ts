import { headers, type MsgHdrs, type NatsConnection } from "@nats-io/transport-node";
import { propagation, SpanKind, type TextMapSetter, type Tracer, trace } from "@opentelemetry/api";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { BasicTracerProvider } from "@opentelemetry/sdk-trace-base";
import { createEventBus, type EventBus, type Transports } from "waybill";
import { natsTransport } from "waybill/nats";
import { data, source, subject, traceparent, within } from "../event.ts";
import type { Row } from "../result.ts";
import { type Contender, compare } from "../support/harness.ts";

const window = 256;
/** What is posted without waiting goes in longer runs. */
export const unconfirmed = 4096;
export const turns = { count: 8_192, rounds: 60, warmUp: 6 };
const encoder = new TextEncoder();

const natsSetter: TextMapSetter<MsgHdrs> = { set: (fields, name, value) => fields.append(name, value) };

/** The message as one writes it by hand: JSON and seven headers by the client's own `headers()`. */
export function rawPublish(connection: NatsConnection, id: string, trace: (fields: MsgHdrs) => void): void {
  const fields = headers();
  fields.append("ce-specversion", "1.0");
  fields.append("ce-type", subject);
  fields.append("ce-source", source);
  fields.append("ce-id", id);
  fields.append("ce-time", new Date().toISOString());
  fields.append("ce-datacontenttype", "application/json");
  trace(fields);
  connection.publish(subject, encoder.encode(JSON.stringify(data)), { headers: fields });
}

/** Runs `one` in windows, each followed by one flush. */
export function inWindows(one: () => void, flush: () => Promise<void>, size: number): (total: number) => Promise<void> {
  return async (total) => {
    for (let sent = 0; sent < total; sent += size) {
      for (let n = 0; n < size; n++) one();
      await flush();
    }
  };
}

/** Every span is recorded; where it goes from there costs both sides the same and is left out. */
const recording = {
  onStart: () => undefined,
  onEnd: () => undefined,
  forceFlush: async () => undefined,
  shutdown: async () => undefined,
};

export const transports = (connection: NatsConnection): Transports => ({ nats: natsTransport({ connection }) });

function rawIn(connection: NatsConnection, size: number): Contender {
  const one = (): void =>
    rawPublish(connection, crypto.randomUUID(), (fields) => fields.append("traceparent", traceparent));
  return { name: "raw headers()", run: inWindows(one, () => connection.flush(), size) };
}

/** Publishes through a bus, a window at a time, each publish confirmed. */
function publishing(name: string, bus: EventBus): Contender {
  return {
    name,
    run: async (total) => {
      for (let sent = 0; sent < total; sent += window) {
        await Promise.all(Array.from({ length: window }, () => bus.publish(subject, data, { context: within })));
      }
    },
  };
}

/** Posts through a bus, with one flush per window. */
export function posting(connection: NatsConnection): Contender {
  const bus = createEventBus({ source, transports: transports(connection) });
  const one = (): void => void bus.post(subject, data, { context: within });
  return { name: "bus.post", run: inWindows(one, () => bus.flush(), unconfirmed) };
}

/** `post` against the client's own `publish`. */
export function post(connection: NatsConnection): Promise<Row> {
  const contenders = [posting(connection), rawIn(connection, unconfirmed)] as const;
  return compare("NATS: post, no SDK", contenders, turns, { due: { atLeast: 1.4 } });
}

/** Confirmed `publish` against the client's own with one flush per window. */
export function publish(connection: NatsConnection): Promise<Row> {
  const ours = publishing("bus.publish", createEventBus({ source, transports: transports(connection) }));
  const measure = `NATS: publish, ${window} in flight, no SDK`;
  return compare(measure, [ours, rawIn(connection, window)], turns, { due: { atLeast: 1.2 } });
}

/** Code that is traced by hand: a span for each event, its context injected, and one flush per window. */
function tracedByHand(connection: NatsConnection, tracer: Tracer, size: number): Contender {
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  const one = (): void => {
    const id = crypto.randomUUID();
    const attributes = {
      "messaging.operation.name": "publish",
      "messaging.operation.type": "send",
      "messaging.system": "nats",
      "messaging.destination.name": subject,
      "messaging.message.id": id,
    };
    const span = tracer.startSpan(`publish ${subject}`, { kind: SpanKind.PRODUCER, attributes }, within);
    const spanContext = trace.setSpan(within, span);
    rawPublish(connection, id, (fields) => propagation.inject(spanContext, fields, natsSetter));
    span.end();
  };
  return { name: "hand-traced", run: inWindows(one, () => connection.flush(), size) };
}

/** {@link post} with a span for each event, against code that is traced by hand and confirms as little. */
export function tracedPost(connection: NatsConnection): Promise<Row> {
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [recording] });
  const bus = createEventBus({ source, transports: transports(connection), tracerProvider });
  const one = (): void => void bus.post(subject, data, { context: within });
  const ours = { name: "bus.post, traced", run: inWindows(one, () => bus.flush(), unconfirmed) };
  const byHand = tracedByHand(connection, tracerProvider.getTracer("bench"), unconfirmed);
  return compare("NATS: post, recording SDK", [ours, byHand], turns, { due: { atLeast: 1.5 } });
}

/** The same with each event confirmed on our side alone: a promise, a place in the buffer and a receipt more. */
export function traced(connection: NatsConnection): Promise<Row> {
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [recording] });
  const byHand = tracedByHand(connection, tracerProvider.getTracer("bench"), window);
  const bus = createEventBus({ source, transports: transports(connection), tracerProvider });
  const ours = publishing("bus.publish, traced", bus);
  const measure = `NATS: publish, ${window} in flight, recording SDK`;
  return compare(measure, [ours, byHand], turns, { due: { atLeast: 1.5 } });
}
