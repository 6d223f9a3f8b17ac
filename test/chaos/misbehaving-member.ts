// A member of a group in a process of its own, whose event loop stands still: `node --import tsx misbehaving-member.ts
// <settings as JSON>`. Blocks once, at the first event it gets, and tells the file what it begins and what it has done.
import { appendFileSync } from "node:fs";
import { connect } from "@nats-io/transport-node";
import { createEventBus, fixedBackoff, type Transport } from "waybill";
import { jetstreamTransport, type StreamSpec } from "waybill/jetstream";
import { kafkaTransport } from "waybill/kafka";
import { confluentDriver } from "waybill/kafka/confluent";

/** What the test says. */
export interface MemberSettings {
  /** A port of NATS, or Kafka's `host:port`. */
  readonly port?: number;
  readonly brokers?: string;
  readonly streams?: readonly StreamSpec[];
  /** How long the broker waits for a member that is silent. */
  readonly patienceMs: number;
  /** Kafka: whether a member that does not poll is silent, though its client lives. */
  readonly polls?: boolean;
  readonly destination: string;
  readonly group: string;
  readonly blockMs: number;
  readonly file: string;
}

const settings = JSON.parse(process.argv[2] ?? "{}") as MemberSettings;
const { port, brokers, streams, patienceMs, polls, destination, group, blockMs, file } = settings;

async function open(): Promise<Transport> {
  if (brokers === undefined) {
    const connection = await connect({ servers: `127.0.0.1:${port}`, maxReconnectAttempts: -1 });
    return jetstreamTransport({ connection, ackWaitMs: patienceMs, ...(streams && { streams }) });
  }
  const config = polls ? { "max.poll.interval.ms": patienceMs } : {};
  const driver = confluentDriver({ brokers, sessionTimeoutMs: patienceMs, config });
  return kafkaTransport({ driver, commitIntervalMs: 100, drainMs: 500 });
}

const bus = createEventBus({ source: "/member", transports: { on: await open() } });
bus.onError(({ code, message }) => appendFileSync(file, `error ${code} ${message}\n`));
let blocked = false;
await bus.subscribe(
  "order.placed",
  async ({ data }) => {
    const { n } = data as { n: number };
    appendFileSync(file, `begin ${n}\n`);
    if (!blocked) {
      blocked = true;
      // Nothing runs in this thread meanwhile: no timer, no socket.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, blockMs);
      appendFileSync(file, "awake\n");
    }
    appendFileSync(file, `handled ${n}\n`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  },
  { destination, group, retry: { attempts: 2, backoff: fixedBackoff(10) }, deadLetter: true },
);
process.stdout.write("joined\n");
process.once("SIGTERM", () => {
  void bus.close().then(() => process.exit(0));
});
