import { createEventBus, type EventBus, type Transport } from "waybill";
import { memoryTransport } from "waybill/memory";
import { data, source, within } from "../event.ts";
import { transports } from "../nats/publish.ts";
import type { Row } from "../result.ts";
import { overNats } from "../support/brokers.ts";
import { type Contender, compare } from "../support/harness.ts";

const few = 10;
const many = 10_000;
/** The rounds that warm up come by each of the many. */
const turns = { count: 5_000, rounds: 7, warmUp: 4 };
const window = 250;

interface Bus {
  readonly bus: EventBus;
  /** How many events the handlers have seen. */
  readonly seen: () => number;
}

/** A bus with so many subscriptions, each to a type of its own, on a destination of its own or a common one. */
async function busWith(count: number, transport: Transport, destination?: string): Promise<Bus> {
  let seen = 0;
  const bus = createEventBus({ source, transports: { [transport.name]: transport } });
  const options = destination === undefined ? {} : { destination, group: "bench" };
  for (let n = 0; n < count; n++) await bus.subscribe(typeOf(n), () => void seen++, options);
  return { bus, seen: () => seen };
}

const typeOf = (n: number): string => `bench.many.t${n}`;

/** Publishes to every type in turn and waits until the handlers have seen all. */
function visiting(count: number, { bus, seen }: Bus, destination?: string): Contender {
  const types = Array.from({ length: count }, (_, n) => typeOf(n));
  let next = 0;
  return {
    name: `${count.toLocaleString("en")} subscriptions`,
    run: async (total) => {
      for (let sent = 0; sent < total; sent += window) {
        const size = Math.min(window, total - sent);
        const one = (): Promise<unknown> =>
          bus.publish(types[next++ % count]!, data, { context: within, ...(destination && { destination }) });
        const until = seen() + size;
        await Promise.all(Array.from({ length: size }, one));
        while (seen() < until) await new Promise(setImmediate);
      }
    },
  };
}

/**
 * What an event costs, from `publish` to its handler, with many subscriptions on a bus against the same with few. The
 * ratio is the cost with many / the cost with few.
 */
async function costs(measure: string, newTransport: () => Transport, destination?: string): Promise<Row> {
  const [crowded, quiet] = [
    await busWith(many, newTransport(), destination),
    await busWith(few, newTransport(), destination),
  ];
  const contenders = [visiting(many, crowded, destination), visiting(few, quiet, destination)] as const;
  const { ratio = Number.NaN, cpuRatio = Number.NaN, ...row } = await compare(measure, contenders, turns);
  await crowded.bus.close();
  await quiet.bus.close();
  return { ...row, ratio: 1 / ratio, cpuRatio: 1 / cpuRatio, due: { atMost: 2 } };
}

/** The memory of a test keeps few messages, so that 10,000 logs do not become what is measured. */
const memory = (): Transport => memoryTransport({ partitions: 1, maxMessages: 1_024 });

export async function subscriptions(): Promise<readonly Row[]> {
  return [
    await costs("Memory: cost per event, types on one destination", memory, "bench.many"),
    await costs("Memory: cost per event, a destination for each type", memory),
    await overNats((connection) =>
      costs("NATS: cost per event, a subject for each type", () => Object.values(transports(connection))[0]!),
    ),
  ];
}
