import { wsconnect } from "@nats-io/nats-core";
import { SimpleSpanProcessor, WebTracerProvider } from "@opentelemetry/sdk-trace-web";
import { createEventBus, EventError } from "waybill";
import { natsConnectDefaults, natsTransport, promptClose } from "waybill/nats";
import { events } from "../events.ts";
import { askPrice, placeOrder, updateCart, watchConfirmations } from "../journey.ts";
import { type SpanRecord, spanExporter, spansSubject } from "../spans.ts";
import { drawWaterfall } from "./waterfall.ts";

const find = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T;
const config = (await (await fetch("/config.json")).json()) as { servers: string; durableHop: string };
find("hop").textContent = config.durableHop;

const connection = await wsconnect({
  servers: config.servers,
  ...natsConnectDefaults({ name: "shop-page" }),
  wsFactory: async (url) => ({ socket: promptClose(new WebSocket(url)), encrypted: url.startsWith("wss:") }),
});
const exporter = spanExporter("page", (json) => connection.publish(spansSubject, json));
const tracerProvider = new WebTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
const tracer = tracerProvider.getTracer("shop-page");
const bus = createEventBus({
  source: "/shop/web",
  events,
  transports: { nats: natsTransport({ connection }) },
  tracerProvider,
});

// Every event of the shop, as it passes.
await bus.subscribe(
  "**",
  (event) => {
    const item = document.createElement("li");
    const type = Object.assign(document.createElement("b"), { textContent: event.type });
    item.append(`${event.time?.slice(11, 23)} `, type, ` ${JSON.stringify(event.data)}`);
    find("events").prepend(item);
  },
  { trust: "drop" },
);
const confirmed = await watchConfirmations(bus, () => undefined);

const traces = new Map<string, SpanRecord[]>();
connection.subscribe(spansSubject, {
  callback(_, message) {
    for (const span of message.json<SpanRecord[]>()) {
      const spans = traces.get(span.traceId) ?? [];
      traces.set(span.traceId, [...spans, span]);
      // Traces that begin elsewhere (the page's own list of events) are not the click's.
      const [root] = (traces.get(span.traceId) ?? []).filter(({ name }) => name.startsWith("click: "));
      if (!root) continue;
      find("trace-id").textContent = span.traceId;
      drawWaterfall(find("waterfall"), traces.get(span.traceId) ?? []);
    }
  },
});

function setStatus(text: string): void {
  find("status").textContent = text;
  find("status").className = text;
}
bus.onStatus(({ type }) => setStatus(type));
bus.onError((error) => {
  find("answer").textContent = `${error.code}: ${error.message}`;
});
setStatus("connected");

let items = 0;
const sku = (): string => find<HTMLInputElement>("sku").value || "teapot";
function onClick(id: string, work: () => Promise<string>): void {
  const button = find<HTMLButtonElement>(id);
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      find("answer").textContent = await work();
    } catch (error) {
      find("answer").textContent = error instanceof EventError ? `${error.code}: ${error.message}` : String(error);
    } finally {
      button.disabled = false;
    }
  });
}
onClick("cart", async () => {
  await updateCart(bus, tracer, sku(), ++items);
  return `${items} in the cart`;
});
onClick("price", async () => `${sku()} costs ${await askPrice(bus, tracer, sku())}`);
onClick("order", async () => `${await placeOrder(bus, tracer, sku(), confirmed)} is confirmed`);
document.body.dataset.ready = "true";
