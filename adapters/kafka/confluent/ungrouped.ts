import type { ConnectionEvents } from "../driver.ts";
import { type ConfluentDriverOptions, consumerConfig } from "./config.ts";
import { Connection } from "./connection.ts";
import { called, type Vendor, type VendorConfig, type VendorConsumer } from "./vendor.ts";

/** A client of librdkafka that joins nothing. */
export interface Ungrouped {
  readonly client: VendorConsumer;
  readonly connection: Connection;
  close(): Promise<void>;
}

/** Connects a consumer that is in no group: it reads and asks. `own` settings win over all others. */
export async function openUngrouped(
  vendor: Vendor,
  options: ConfluentDriverOptions,
  own: VendorConfig,
  events: ConnectionEvents,
): Promise<Ungrouped> {
  const { global, topic } = consumerConfig(options, "waybill-ungrouped");
  const client = new vendor.KafkaConsumer({ ...global, ...own }, topic);
  const connection = new Connection(client, options, events);
  // Nothing is assigned yet: what is consumed while it connects are its events alone.
  client.setDefaultConsumeTimeout(0);
  let probes: Promise<unknown> = Promise.resolve();
  await connection.open(() => {
    probes = Promise.allSettled([probes, called((done) => client.consume(1, done))]);
  });
  await probes;
  const close = async (): Promise<void> => {
    connection.close();
    await called((done) => client.disconnect(done)).catch(() => undefined);
  };
  return { client, connection, close };
}
