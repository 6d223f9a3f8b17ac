import type { NatsConnection } from "@nats-io/transport-node";
import { createEventBus } from "waybill";
import { memoryTransport } from "waybill/memory";
import { data, source, subject, within } from "../event.ts";
import { posting } from "../nats/publish.ts";
import type { Row } from "../result.ts";
import { overNats } from "../support/brokers.ts";
import { type Contender, heapMiB } from "../support/harness.ts";
import { smoke } from "../support/turns.ts";

const early = smoke ? 10_000 : 100_000;
const late = smoke ? 50_000 : 1_000_000;
const window = 250;
/** By then a log holds what it may hold, and it forgets at once which events it has had: neither is a leak. */
const maxMessages = 1_024;

/** Publishes events over the memory transport to a handler. */
function throughMemory(): Contender {
  const bus = createEventBus({ source, transports: { memory: memoryTransport({ maxMessages, dedupWindowMs: 1 }) } });
  let seen = 0;
  const listening = bus.subscribe(subject, () => void seen++, { group: "bench" });
  let published = 0;
  return {
    name: "published and consumed",
    run: async (total) => {
      await listening;
      for (const until = published + total; published < until; published += window) {
        await Promise.all(Array.from({ length: window }, () => bus.publish(subject, data, { context: within })));
        while (seen < published + window) await new Promise(setImmediate);
      }
    },
  };
}

/** The heap in use when so many events have passed, and when many more have. The ratio is the late / the early one. */
async function growth(measure: string, contender: Contender): Promise<Row> {
  await contender.run(early);
  const before = heapMiB();
  await contender.run(late - early);
  const after = heapMiB();
  return {
    measure,
    ours: { name: `after ${late.toLocaleString("en")}`, value: after, unit: "MiB" },
    theirs: { name: `after ${early.toLocaleString("en")}`, value: before, unit: "MiB" },
    ratio: after / before,
    due: { atMost: 1.01 },
    heapGrowthMiB: after - before,
  };
}

export async function memory(): Promise<readonly Row[]> {
  return [
    {
      ...(await growth(`Memory, ${maxMessages.toLocaleString("en")} kept per partition: heap`, throughMemory())),
      note: "with ids remembered for 1 ms; by default each is kept for 120 s, which is memory by design",
    },
    await overNats((connection: NatsConnection) => growth("NATS: heap, events posted", posting(connection))),
  ];
}
