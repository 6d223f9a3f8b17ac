// The drivers under test, by name, as a child process can be told.
import { type ConfluentDriverOptions, confluentDriver } from "../../../adapters/kafka/confluent/index.ts";
import type { KafkaDriver } from "../../../adapters/kafka/driver.ts";
import type { DriverOptions } from "../../../adapters/kafka/driver-options.ts";
import { platformaticDriver } from "../../../adapters/kafka/platformatic/index.ts";

export type DriverName = "confluent" | "platformatic";

/** Options of both drivers, and librdkafka's own, which the other ignores. */
export type TestOptions = DriverOptions & Pick<ConfluentDriverOptions, "config">;

export const driverOf = (name: string, { config, ...options }: TestOptions): KafkaDriver =>
  name === "confluent" ? confluentDriver({ ...options, config }) : platformaticDriver(options);
