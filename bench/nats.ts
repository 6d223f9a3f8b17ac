import { headers, type MsgHdrs, type NatsConnection } from "@nats-io/transport-node";
import { propagation, SpanKind, type TextMapSetter, trace } from "@opentelemetry/api";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { BasicTracerProvider } from "@opentelemetry/sdk-trace-base";
import { createEventBus } from "waybill";
import { natsTransport } from "waybill/nats";
import { data, source, traceparent, within } from "./event.ts";
import { type Comparison, compare } from "./harness.ts";

const window = 256;
/** What is posted without waiting goes in longer runs. */
const unconfirmed = 4096;
const turns = { count: 8_192, rounds: 60, warmUp: 6 };
const subject = "bench.order.placed";
const encoder = new TextEncoder();

const natsSetter: TextMapSetter<MsgHdrs> = { set: (fields, name, value) => fields.append(name, value) };

/** The message as one writes it by hand: JSON and seven headers by the client's own `headers()`. */
function rawPublish(connection: NatsConnection, id: string, trace: (fields: MsgHdrs) => void): void {
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
function inWindows(one: () => void, flush: () => Promise<void>, size = window): (total: number) => Promise<void> {
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

/** Publishing over core NATS. */
export async function* natsComparisons(connection: NatsConnection): AsyncIterable<Comparison> {
  const transports = { nats: natsTransport({ connection }) };
  const quiet = createEventBus({ source, transports });
  const raw = {
    name: "raw headers()",
    run: inWindows(
      () => rawPublish(connection, crypto.randomUUID(), (fields) => fields.append("traceparent", traceparent)),
      () => connection.flush(),
    ),
  };
  const rawPost = {
    name: "raw headers()",
    run: inWindows(
      () => rawPublish(connection, crypto.randomUUID(), (fields) => fields.append("traceparent", traceparent)),
      () => connection.flush(),
      unconfirmed,
    ),
  };
  const post = {
    name: "bus.post",
    run: inWindows(
      () => void quiet.post(subject, data, { context: within }),
      () => quiet.flush(),
      unconfirmed,
    ),
  };
  const publish = {
    name: "bus.publish",
    run: async (total: number) => {
      for (let sent = 0; sent < total; sent += window) {
        await Promise.all(Array.from({ length: window }, () => quiet.publish(subject, data, { context: within })));
      }
    },
  };

  const provider = new BasicTracerProvider({ spanProcessors: [recording] });
  const tracer = provider.getTracer("bench");
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  const handTraced = {
    name: "hand-traced",
    run: inWindows(
      () => {
        const id = crypto.randomUUID();
        const span = tracer.startSpan(
          `publish ${subject}`,
          {
            kind: SpanKind.PRODUCER,
            attributes: {
              "messaging.operation.name": "publish",
              "messaging.operation.type": "send",
              "messaging.system": "nats",
              "messaging.destination.name": subject,
              "messaging.message.id": id,
            },
          },
          within,
        );
        const spanContext = trace.setSpan(within, span);
        rawPublish(connection, id, (fields) => propagation.inject(spanContext, fields, natsSetter));
        span.end();
      },
      () => connection.flush(),
    ),
  };
  const tracedBus = createEventBus({ source, transports, tracerProvider: provider });
  const traced = {
    name: "bus.publish, traced",
    run: async (total: number) => {
      for (let sent = 0; sent < total; sent += window) {
        await Promise.all(Array.from({ length: window }, () => tracedBus.publish(subject, data, { context: within })));
      }
    },
  };
  yield await compare("NATS: post, no SDK", 1.3, [post, rawPost], turns);
  yield await compare(`NATS: publish, ${window} in flight, no SDK`, 1.2, [publish, raw], turns);
  yield await compare(`NATS: publish, ${window} in flight, recording SDK`, 1.3, [traced, handTraced], turns);
}
