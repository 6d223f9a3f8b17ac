// Runs in Chromium: publishes events over NATS WebSocket and keeps the spans that it made.
import { wsconnect } from "@nats-io/nats-core";
import { context, propagation } from "@opentelemetry/api";
import { type ReadableSpan, SimpleSpanProcessor, WebTracerProvider } from "@opentelemetry/sdk-trace-web";
import { connect as connectOld } from "nats.ws";
import { createEventBus } from "waybill";
import { natsConnectDefaults, natsTransport } from "waybill/nats";

/** What the test reads of a span, of the page or of a service. */
export interface SpanFacts {
  readonly service: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string | undefined;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly name: string;
  readonly kind: number;
  readonly attributes: Readonly<Record<string, unknown>>;
}

/** The facts of a finished span. */
export function factsOf(service: string, span: ReadableSpan): SpanFacts {
  const { traceId, spanId } = span.spanContext();
  return {
    service,
    traceId,
    spanId,
    parentId: span.parentSpanContext?.spanId,
    links: span.links.map((link) => ({ traceId: link.context.traceId, spanId: link.context.spanId })),
    name: span.name,
    kind: span.kind,
    attributes: span.attributes,
  };
}

/** What the page does for the test. */
export interface PageApi {
  publish(
    client: "wsconnect" | "nats.ws",
    servers: string,
    subject: string,
    count: number,
  ): Promise<{ ids: string[]; spans: SpanFacts[] }>;
}

const api: PageApi = {
  async publish(client, servers, subject, count) {
    const options = { servers, ...natsConnectDefaults({ name: "page" }) };
    const connection = client === "wsconnect" ? await wsconnect(options) : await connectOld(options);
    const finished: ReadableSpan[] = [];
    const exporter = {
      export: (spans: ReadableSpan[], done: (result: { code: number }) => void) => {
        finished.push(...spans);
        done({ code: 0 });
      },
      shutdown: async () => undefined,
    };
    const tracerProvider = new WebTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
    const bus = createEventBus({
      source: "/e2e/page",
      transports: { nats: natsTransport({ connection }) },
      tracerProvider,
    });
    const baggage = propagation.createBaggage({ tenant: { value: "acme" } });
    const within = propagation.setBaggage(context.active(), baggage);
    const receipts = await Promise.all(
      Array.from({ length: count }, (_, n) => bus.publish(subject, { n }, { key: `key-${n % 50}`, context: within })),
    );
    await bus.close();
    await connection.close();
    return { ids: receipts.map(({ id }) => id), spans: finished.map((span) => factsOf("page", span)) };
  },
};
Object.assign(globalThis, { api });
