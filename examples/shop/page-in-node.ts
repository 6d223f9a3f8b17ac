// The page's journey without a page, for machines without Chromium.
import { wsconnect } from "@nats-io/nats-core";
import { SimpleSpanProcessor, WebTracerProvider } from "@opentelemetry/sdk-trace-web";
import { createEventBus } from "waybill";
import { natsConnectDefaults, natsTransport } from "waybill/nats";
import WebSocket from "ws";
import { events } from "./events.ts";
import { placeOrder, watchConfirmations } from "./journey.ts";
import { spanExporter, spansSubject } from "./spans.ts";

const servers = process.argv[2]!;
const connection = await wsconnect({
  servers,
  ...natsConnectDefaults({ name: "shop-page" }),
  wsFactory: async (url) => ({ socket: new WebSocket(url) as never, encrypted: url.startsWith("wss:") }),
});
const exporter = spanExporter("page", (json) => connection.publish(spansSubject, json));
const tracerProvider = new WebTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
const transports = { nats: natsTransport({ connection }) };
const bus = createEventBus({ source: "/shop/web", events, transports, tracerProvider });
const confirmed = await watchConfirmations(bus, () => undefined);
await placeOrder(bus, tracerProvider.getTracer("shop-page"), "teapot", confirmed);
await bus.close();
await connection.drain();
