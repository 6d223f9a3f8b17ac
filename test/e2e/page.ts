// Runs in Chromium: publishes events over NATS WebSocket and keeps the spans that it made.
import { wsconnect } from "@nats-io/nats-core";
import { context, propagation } from "@opentelemetry/api";
import { type ReadableSpan, SimpleSpanProcessor, WebTracerProvider } from "@opentelemetry/sdk-trace-web";
import { connect as connectOld } from "nats.ws";
import { createEventBus } from "waybill";
import { natsConnectDefaults, natsTransport } from "waybill/nats";
import { factsOf, type SpanFacts } from "./span-facts.ts";

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
