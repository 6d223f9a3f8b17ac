import { connect } from "@nats-io/transport-node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createEventBus, type Receipt } from "waybill";
import { kafkaTransport } from "waybill/kafka";
import { confluentDriver } from "waybill/kafka/confluent";
import { natsConnectDefaults, natsTransport } from "waybill/nats";
import { type KafkaBroker, startKafka } from "../support/kafka-broker.ts";
import { type NatsServer, startNatsServer } from "../support/nats-server.ts";
import { startTcpProxy } from "../support/tcp-proxy.ts";

const count = 10_000;
let nats: NatsServer;
let kafka: KafkaBroker;
beforeAll(async () => {
  nats = await startNatsServer();
  kafka = await startKafka();
});
afterAll(async () => {
  await Promise.all([nats?.stop(), kafka?.stop()]);
});

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test(`NATS is killed amid ${count} publishes on a chain: none is lost, and events return to NATS by themselves`, async () => {
  await kafka.createTopic("chain", 4);
  const options = natsConnectDefaults({ reconnectWaitMs: 100 });
  // Lets the publisher back in when the consumer is there: core NATS stores nothing for who is away.
  await using proxy = await startTcpProxy(nats.port);
  const [publishing, consuming] = [
    await connect({ servers: `127.0.0.1:${proxy.port}`, ...options }),
    await connect({ servers: nats.url, ...options }),
  ];
  const transports = (connection: typeof publishing) => ({
    nats: natsTransport({ connection }),
    kafka: kafkaTransport({ driver: confluentDriver({ brokers: kafka.brokers }) }),
  });
  const routes = [{ type: "**", to: ["nats", "kafka"] as const }];
  const bus = createEventBus({ source: "/t", transports: transports(publishing), routes });
  const consumer = createEventBus({ source: "/c", transports: transports(consuming), routes });
  const seen = { nats: new Set<string>(), kafka: new Set<string>() };
  for (const transport of ["nats", "kafka"] as const) {
    await consumer.subscribe("chain", ({ id }) => void seen[transport].add(id), {
      transport,
      concurrency: 64,
      ...(transport === "kafka" ? { group: "g" } : {}),
    });
  }

  const receipts: Receipt[] = [];
  const work = new Set<Promise<unknown>>();
  let killed: Promise<void> | undefined;
  for (let n = 0; n < count; n++) {
    if (n === 3_000) {
      await Promise.all(work);
      while (seen.nats.size < n) await pause(1);
    }
    if (n === 3_100) {
      proxy.refuse();
      killed = nats.kill();
    }
    if (n === 3_200) while (bus.health().nats!.state === "connected") await pause(1);
    if (n === 7_000) {
      await killed;
      await nats.restart();
      while (consumer.health().nats!.state !== "connected") await pause(10);
      await consuming.flush();
      proxy.heal();
    }
    const one: Promise<unknown> = bus.publish("chain", { n }).then((receipt) => {
      receipts.push(receipt);
      work.delete(one);
    });
    work.add(one);
    // What NATS had not confirmed when it died waits for it; as many again go on meanwhile.
    while (work.size >= (killed ? 1_024 : 256)) await Promise.race(work);
  }
  await Promise.all(work);

  const by = (name: string): Receipt[] => receipts.filter(({ transport }) => transport === name);
  const [overNats, overKafka] = [by("nats"), by("kafka")];
  expect(receipts).toHaveLength(count);
  expect(overNats.length + overKafka.length).toBe(count);
  expect(new Set(receipts.map(({ id }) => id)).size).toBe(count);
  expect(overKafka.length).toBeGreaterThan(0);
  // Back on the first transport without anyone's help.
  expect(overNats.length).toBeGreaterThan(3_000);
  expect(await bus.publish("chain", { n: count })).toMatchObject({ transport: "nats", attempts: 1 });

  const end = Date.now() + 60_000;
  while (seen.kafka.size < overKafka.length && Date.now() < end) await pause(50);
  // What Kafka has is exactly what the receipts say; of NATS only what was on its way through the server is missing.
  expect([...seen.kafka].sort()).toEqual(overKafka.map(({ id }) => id).sort());
  const missed = overNats.filter(({ id }) => !seen.nats.has(id));
  console.log(
    `${overNats.length} over NATS, ${overKafka.length} over Kafka, ${missed.length} lost with the server that had confirmed them`,
  );
  expect(missed.length).toBeLessThanOrEqual(256);
  expect(await bus.close()).toEqual({ unsent: 0, unsettled: 0 });
  await consumer.close();
  await Promise.all([publishing.close(), consuming.close()]);
});
