import { connect, type NatsConnection } from "@nats-io/transport-node";
import { type KafkaBroker, startKafka } from "../../test/support/kafka-broker.ts";
import { type NatsServer, startNatsServer } from "../../test/support/nats-server.ts";
import { topic } from "../event.ts";

/** Runs against a nats-server of its own. */
export async function withNatsServer<T>(jetstream: boolean, use: (server: NatsServer) => Promise<T>): Promise<T> {
  const server = await startNatsServer({ jetstream });
  try {
    return await use(server);
  } finally {
    await server.stop();
  }
}

/** Runs over one connection to a nats-server of its own. */
export async function overNats<T>(
  use: (connection: NatsConnection, server: NatsServer) => Promise<T>,
  { jetstream = false } = {},
): Promise<T> {
  return await withNatsServer(jetstream, async (server) => {
    const connection = await connect({ servers: server.url });
    try {
      return await use(connection, server);
    } finally {
      await connection.close();
    }
  });
}

/** Runs against a Kafka broker of its own that has {@link topic} in 4 partitions. */
export async function overKafka<T>(use: (brokers: string, broker: KafkaBroker) => Promise<T>): Promise<T> {
  const broker = await startKafka();
  try {
    await broker.createTopic(topic, 4);
    return await use(broker.brokers, broker);
  } finally {
    await broker.stop();
  }
}
