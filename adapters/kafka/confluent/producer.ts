import type { KafkaProducer, OutgoingRecord, ProduceFailure, ProduceReport, ProducerEvents } from "../driver.ts";
import { type ConfluentDriverOptions, producerConfig } from "./config.ts";
import { Connection } from "./connection.ts";
import { reportFailure, thrownFailure, toEventError } from "./errors.ts";
import { vendorHeaders, vendorKey, vendorValue } from "./records.ts";
import { called, type Vendor, type VendorError, type VendorProducer, type VendorReport } from "./vendor.ts";

/** Opens librdkafka's raw producer: it batches, retries and keeps the order by itself, and reports each record. */
export async function openProducer(
  vendor: Vendor,
  options: ConfluentDriverOptions,
  maxMessageBytes: number,
  events: ProducerEvents,
): Promise<KafkaProducer> {
  const { global, topic } = producerConfig(options, maxMessageBytes);
  const onReport = (error: VendorError | null, { opaque, partition, offset }: VendorReport): void => {
    const report = opaque as ProduceReport;
    if (error) report.failed(reportFailure(error));
    else report.stored(partition, offset);
  };
  const client = new vendor.Producer({ ...global, dr_cb: onReport }, topic);
  const connection = new Connection(client, options, events);
  client.on("event.error", (error) => {
    if (error.isFatal) connection.events?.fatal(toEventError(error, "Kafka's producer failed for good"));
  });
  await connection.open(() => client.poll());
  // On a timer of the event loop reports would come up to an interval later, and cost it more.
  client.setPollInBackground(true);
  return new ConfluentProducer(client, connection);
}

class ConfluentProducer implements KafkaProducer {
  readonly #client: VendorProducer;
  readonly #connection: Connection;

  constructor(client: VendorProducer, connection: Connection) {
    this.#client = client;
    this.#connection = connection;
  }

  produce(record: OutgoingRecord, report: ProduceReport): ProduceFailure | undefined {
    const { topic, value, key, headers } = record;
    try {
      this.#client.produce(topic, null, vendorValue(value), vendorKey(key), null, report, vendorHeaders(headers));
      return undefined;
    } catch (error) {
      return thrownFailure(error);
    }
  }

  async flush(timeoutMs: number): Promise<void> {
    // A timeout is no error here: the transport counts its own reports.
    await called((done) => this.#client.flush(timeoutMs, done)).catch(() => undefined);
  }

  async close(timeoutMs: number): Promise<void> {
    this.#connection.close();
    await called((done) => this.#client.disconnect(timeoutMs, done)).catch(() => undefined);
  }
}
