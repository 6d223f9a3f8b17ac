import { randomBytes, randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createEventBus } from "waybill";
import { createDeadLetterQueue } from "waybill/dead-letter";
import { kafkaTransport } from "waybill/kafka";
import { all } from "../../core/dead-letter/set-up.ts";
import { type KafkaBroker, startKafka } from "../../support/kafka-broker.ts";
import { type DriverName, driverOf } from "./drivers.ts";

let broker: KafkaBroker;

/** The same cases for each driver, against a real broker. */
export function redriveCases(name: DriverName): void {
  beforeAll(async () => {
    broker = await startKafka();
  });
  afterAll(async () => {
    await broker?.stop();
  });

  describe("a redrive on a real broker", () => {
    it("stores all but the one that is too large, though the broker refuses them together", async () => {
      const [orders, small] = [`orders-${randomUUID()}`, `small-${randomUUID()}`];
      await broker.createTopic(orders, 1);
      await broker.createTopic(small, 1, { "max.message.bytes": "20000" });
      const kafka = kafkaTransport({ driver: driverOf(name, { brokers: broker.brokers }) });
      await using bus = createEventBus({ source: "/shop", transports: { kafka } });
      await bus.subscribe(
        "order.placed",
        () => {
          throw new Error("no");
        },
        { destination: orders, group: "g", retry: { attempts: 1 } },
      );
      const ids = Array.from({ length: 250 }, (_, at) => `e-${at}`);
      await Promise.all(
        ids.map((id) => {
          const text = randomBytes(id === "e-120" ? 15_000 : 500).toString("hex");
          return bus.publish("order.placed", { text }, { id, destination: orders });
        }),
      );
      const queue = await createDeadLetterQueue({ bus, destination: orders, targets: [small] });
      const waiting = async (): Promise<unknown[]> => (await all(queue.list())).map(({ event }) => event?.id);
      await expect.poll(async () => (await waiting()).length, { timeout: 30_000 }).toBe(250);
      const to = { destination: small };
      expect(await queue.redrive({}, { to })).toMatchObject({
        ...{ matched: 250, redriven: 249, failed: 1, uncertain: 0 },
        failures: [{ error: { code: "too-large" } }],
      });
      expect(await waiting()).toEqual(["e-120"]);
      expect(await queue.redrive({}, { to })).toMatchObject({ matched: 1, redriven: 0, failed: 1 });
      const copies = async (): Promise<unknown[]> =>
        (await all(kafka.read!({ destination: small }))).map(({ headers }) => headers.get("ce_id"));
      await expect.poll(copies).toEqual(ids.filter((id) => id !== "e-120"));
      // Where there is room for it, it goes.
      expect(await queue.redrive()).toMatchObject({ matched: 1, redriven: 1 });
    });
  });
}
