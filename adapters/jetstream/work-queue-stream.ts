import type { StreamSpec } from "./options.ts";

/**
 * A stream for work that is done once: work queue retention, 24 hours, on disk. Each event goes to one group alone
 * and is removed when that has settled it.
 *
 * @example
 * ```ts
 * import { connect } from "@nats-io/transport-node";
 * import { jetstreamTransport, workQueueStream } from "waybill/jetstream";
 *
 * const connection = await connect({ servers: "nats://127.0.0.1:4222" });
 * const jetstream = jetstreamTransport({ connection, streams: [workQueueStream("ORDERS", ["orders.>"])] });
 * ```
 */
export function workQueueStream(name: string, subjects: readonly string[]): StreamSpec {
  return { name, subjects, retention: "workqueue", maxAgeMs: 86_400_000, storage: "file" };
}
