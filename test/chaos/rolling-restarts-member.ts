// A member of a group in a process of its own, that is closed or killed: `node --import tsx rolling-restarts-member.ts
// <settings as JSON>`. Appends what it handles and what fails to the file, one line each.
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "@nats-io/transport-node";
import { createEventBus, fixedBackoff, type Transport } from "waybill";
import { jetstreamTransport } from "waybill/jetstream";
import { kafkaTransport } from "waybill/kafka";
import { confluentDriver } from "waybill/kafka/confluent";

/** What the test says. */
export interface MemberSettings {
  /** A port of NATS, or Kafka's `host:port`. */
  readonly port?: number;
  readonly brokers?: string;
  readonly destination: string;
  readonly group: string;
  readonly attempts: number;
  /** Whether members share how often an event has failed; else each goes by the broker's count of deliveries. */
  readonly shared: boolean;
  /** For what all members do, and what fails so often as a file says. */
  readonly folder: string;
}

/** Data of an event. */
export interface Load {
  readonly n: number;
  /** How often its handler fails before it succeeds. */
  readonly failures: number;
}

const settings = JSON.parse(process.argv[2] ?? "{}") as MemberSettings;
const { port, brokers, destination, group, attempts, shared, folder } = settings;
const log = (line: string): void => appendFileSync(join(folder, "log"), `${line}\n`);

async function open(): Promise<Transport> {
  if (brokers === undefined) {
    return jetstreamTransport({ connection: await connect({ servers: `127.0.0.1:${port}` }), ackWaitMs: 1_500 });
  }
  const driver = confluentDriver({ brokers, sessionTimeoutMs: 3_000 });
  return kafkaTransport({ driver, commitIntervalMs: 100, drainMs: 2_000 });
}

/** How often the event has failed so far, whichever member had it. */
function failuresSoFar(n: number): number {
  try {
    return readFileSync(join(folder, `failed-${n}`)).length;
  } catch {
    return 0;
  }
}

const { openState, ...rest } = await open();
const transport: Transport = openState && shared ? { ...rest, openState } : rest;
const bus = createEventBus({ source: "/member", transports: { on: transport } });
bus.onError(({ code, message }) => {
  if (code !== "handler-failed") log(`error ${code} ${message}`);
});
await bus.subscribe(
  "order.placed",
  async ({ data }) => {
    const { n, failures } = data as Load;
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 100));
    const so = failures > 0 ? failuresSoFar(n) : 0;
    if (so >= failures) return log(`handled ${n}`);
    writeFileSync(join(folder, `failed-${n}`), "x", { flag: "a" });
    throw new Error(`fails ${failures} times`);
  },
  {
    ...{ destination, group, concurrency: 8, order: "none", deadLetter: true },
    retry: { attempts, backoff: fixedBackoff(150) },
  },
);
process.stdout.write("joined\n");
process.once("SIGTERM", () => {
  void bus.close().then(({ unsettled }) => {
    log(`left ${unsettled}`);
    process.exit(0);
  });
});
