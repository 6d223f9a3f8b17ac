import { createEventBus } from "waybill";
import { natsTransport } from "waybill/nats";
import { events } from "./events.ts";
import { ready, startService } from "./service.ts";

const { connection, tracerProvider } = await startService("pricing-service");
const bus = createEventBus({
  source: "/shop/pricing",
  events,
  transports: { nats: natsTransport({ connection }) },
  tracerProvider,
});
bus.onError((error) => console.error(`pricing: ${error.code}: ${error.message}`));

await bus.respond("price.quote", ({ data: { sku } }) => ({ sku, price: 10 + sku.length }), { group: "pricing" });

ready(async () => {
  await bus.close();
  await connection.close();
});
