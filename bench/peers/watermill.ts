import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import type { NatsConnection } from "@nats-io/transport-node";
import { createEventBus } from "waybill";
import { jetstreamTransport } from "waybill/jetstream";
import { kafkaTransport } from "waybill/kafka";
import { confluentDriver } from "waybill/kafka/confluent";
import type { NatsServer } from "../../test/support/nats-server.ts";
import { data, source, subject, topic, within } from "../event.ts";
import { createStream, inParallel, subscribing } from "../jetstream.ts";
import { consumeTurns, consuming, fill } from "../kafka/consume.ts";
import { publishing } from "../kafka/produce.ts";
import { posting, transports } from "../nats/publish.ts";
import type { Row } from "../result.ts";
import { overKafka, overNats } from "../support/brokers.ts";
import { type Contender, compare } from "../support/harness.ts";
import { cache } from "../support/paths.ts";
import { scaled, type Turns } from "../support/turns.ts";

const binary = cache("bench-peers/watermill");
const natsTurns = { count: 65_536, rounds: 9, warmUp: 2 };
const storedTurns = { count: 8_192, rounds: 7, warmUp: 1 };
const note = "rates of two languages on one machine and broker, no due";

/** The Go program, which answers each turn with its milliseconds. */
class Watermill implements Disposable {
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;

  constructor(system: "nats" | "jetstream" | "kafka", address: string, on: string) {
    this.#child = spawn(binary, [system, address, on], { stdio: ["pipe", "pipe", "inherit"] });
    this.#answers = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
  }
  contender(what: "publish" | "consume"): Contender {
    return {
      name: `Watermill ${what}`,
      run: async (count) => {
        this.#child.stdin!.write(`${what} ${count}\n`);
        const { value, done } = await this.#answers.next();
        if (done === true) throw new Error(`Watermill ended in "${what} ${count}"`);
        return Number(value);
      },
    };
  }
  [Symbol.dispose](): void {
    this.#child.kill();
  }
}

/** Runs where Go has built the program; says so where it has not. */
async function whereBuilt(system: string, run: () => Promise<readonly Row[]>): Promise<readonly Row[]> {
  if (existsSync(binary)) return await run();
  return [{ measure: `Watermill on ${system}`, note: "Go not found" }];
}

const beside = (measure: string, ours: Contender, theirs: Contender, turns: Turns): Promise<Row> =>
  compare(measure, [ours, theirs], turns, { note, elsewhere: true });

/** Core NATS: publishing without waiting, and publishing to a handler in the same process. */
export const overCoreNats = (): Promise<readonly Row[]> =>
  whereBuilt("core NATS", () =>
    overNats(async (connection: NatsConnection, server: NatsServer) => {
      using peer = new Watermill("nats", server.url, subject);
      const published = await beside("NATS: publish", posting(connection), peer.contender("publish"), natsTurns);
      const bus = createEventBus({ source, transports: transports(connection) });
      let left = 0;
      let all = (): void => undefined;
      // A subject of its own: the peer's events must not count.
      const own = `${subject}.own`;
      await bus.subscribe(own, () => {
        if (--left === 0) all();
      });
      const ours: Contender = {
        name: "bus.post and bus.subscribe",
        run: async (total) => {
          const done = new Promise<void>((resolve) => {
            all = resolve;
          });
          left = total;
          for (let n = 0; n < total; n++) bus.post(own, data, { context: within });
          await done;
        },
      };
      const through = await beside("NATS: publish and consume", ours, peer.contender("consume"), {
        ...natsTurns,
        count: 16_384,
      });
      return [published, through];
    }),
  );

/** JetStream: confirmed publishing, and a group that handles and acknowledges what is stored. */
export const overJetStream = (): Promise<readonly Row[]> =>
  whereBuilt("JetStream", () =>
    overNats(
      async (connection, server) => {
        await createStream(connection, "BENCH");
        using peer = new Watermill("jetstream", server.url, subject);
        const bus = createEventBus({ source, transports: { jetstream: jetstreamTransport({ connection }) } });
        const publish = (): Promise<unknown> => bus.publish(subject, data, { context: within });
        const ours: Contender = { name: "bus.publish", run: (total) => inParallel(total, publish) };
        // First, while the stream holds what both can read.
        await ours.run(storedTurns.count);
        const consumed = await beside("JetStream: consume", subscribing(bus), peer.contender("consume"), storedTurns);
        const published = await beside("JetStream: publish", ours, peer.contender("publish"), storedTurns);
        return [published, consumed];
      },
      { jetstream: true },
    ),
  );

/** Kafka: events in batches against Watermill's publishers, which send one at a time each, and a group from the start. */
export const overKafkaBroker = (): Promise<readonly Row[]> =>
  whereBuilt("Kafka", () =>
    overKafka(async (brokers) => {
      using peer = new Watermill("kafka", brokers, topic);
      const newDriver = (): ReturnType<typeof confluentDriver> => confluentDriver({ brokers: [brokers] });
      const bus = createEventBus({ source, transports: { kafka: kafkaTransport({ driver: newDriver() }) } });
      // First, while the topic holds what both can read.
      await fill(bus, scaled(consumeTurns).count);
      const consumed = await beside("Kafka: consume", consuming(newDriver), peer.contender("consume"), consumeTurns);
      const published = await beside("Kafka: publish", publishing(bus), peer.contender("publish"), storedTurns);
      await bus.close();
      return [published, consumed];
    }),
  );
