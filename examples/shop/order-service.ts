import { createEventBus, type Transport } from "waybill";
import { kafkaTransport } from "waybill/kafka";
import { confluentDriver } from "waybill/kafka/confluent";
import { memoryTransport } from "waybill/memory";
import { natsTransport } from "waybill/nats";
import { createBridge } from "waybill/patterns";
import { events } from "./events.ts";
import { ready, startService } from "./service.ts";

const brokers = process.env.KAFKA_BROKERS;
const durableHop = brokers ? "Kafka" : "memory";
const durable: Transport = brokers
  ? kafkaTransport({ driver: confluentDriver({ brokers: brokers.split(",") }) })
  : memoryTransport();

const { connection, tracerProvider } = await startService("order-service");
const bus = createEventBus({
  source: "/shop/orders",
  events,
  transports: { nats: natsTransport({ connection }), durable },
  routes: [{ type: "**", to: "nats" }],
  tracerProvider,
});
bus.onError((error) => console.error(`orders: ${error.code}: ${error.message}`));

// In front of the bridge, so that the first order finds its consumer.
await bus.subscribe(
  "order.placed",
  async ({ data: { orderId } }, delivery) => {
    await delivery.publish("order.confirmed", { orderId, durableHop });
  },
  { transport: "durable", destination: "orders", group: "fulfilment" },
);
await createBridge({
  from: { bus, types: "order.placed", transport: "nats", group: "orders-bridge" },
  to: { bus, transport: "durable", destination: "orders" },
});

ready(async () => {
  await bus.close();
  await connection.close();
});
