import { connect } from "@nats-io/transport-node";
import { context, trace } from "@opentelemetry/api";
import { createEventBus } from "waybill";
import { natsTransport } from "waybill/nats";
import { startNatsServer } from "../test/support/nats-server.ts";

const server = await startNatsServer();
const connection = await connect({ servers: server.url });
const bus = createEventBus({ source: "/bench", transports: { nats: natsTransport({ connection }) } });
const data = { orderId: "o-1234567", sku: "teapot", price: 12.5, note: "x".repeat(100) };
const within = trace.setSpanContext(context.active(), {
  traceId: "0af7651916cd43dd8448eb211c80319c",
  spanId: "b7ad6b7169203331",
  traceFlags: 1,
});
const mode = process.argv[2];
const t = performance.now();
for (let i = 0; i < 1200; i++) {
  if (mode === "post") {
    for (let n = 0; n < 256; n++) bus.post("bench.order.placed", data, { context: within });
    await bus.flush();
  } else
    await Promise.all(Array.from({ length: 256 }, () => bus.publish("bench.order.placed", data, { context: within })));
}
console.log(mode, Math.round(((1200 * 256) / (performance.now() - t)) * 1000), "/s");
await bus.close();
await connection.close();
await server.stop();
