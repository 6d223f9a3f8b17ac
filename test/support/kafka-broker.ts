import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import confluent from "@confluentinc/kafka-javascript";

const jars = fileURLToPath(new URL("../../.cache/tools/kafka/", import.meta.url));
// KRaft broker and controller in one small JVM: a test needs neither throughput tuning nor a large heap.
const javaFlags = ["-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"];

/** A real Kafka broker of one node, run for a test. */
export interface KafkaBroker {
  /** `127.0.0.1:<port>`, as `bootstrap.servers` wants it. */
  readonly brokers: string;
  readonly port: number;
  /** Creates a topic and waits until its partitions have a leader. */
  createTopic(name: string, partitions: number, config?: Record<string, string>): Promise<void>;
  /** The ids of the groups the broker knows. */
  groups(): Promise<string[]>;
  /** SIGSTOP: the broker keeps its sockets and answers nothing. */
  freeze(): void;
  /** SIGCONT after {@link freeze}. */
  thaw(): void;
  /** SIGKILL. The data stays for {@link restart}. */
  kill(): Promise<void>;
  /** Starts the broker again on the same port and data. */
  restart(): Promise<void>;
  /** Ends the broker and removes its data. */
  stop(): Promise<void>;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const done = (up: boolean): void => {
      socket.destroy();
      resolve(up);
    };
    socket.once("connect", () => done(true)).once("error", () => done(false));
  });
}

function properties(port: number, controller: number, data: string): string {
  return Object.entries({
    "process.roles": "broker,controller",
    "node.id": 1,
    "controller.quorum.voters": `1@127.0.0.1:${controller}`,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controller}`,
    "advertised.listeners": `PLAINTEXT://127.0.0.1:${port}`,
    "controller.listener.names": "CONTROLLER",
    "log.dirs": data,
    "num.partitions": 4,
    "auto.create.topics.enable": true,
    "offsets.topic.replication.factor": 1,
    "offsets.topic.num.partitions": 4,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "transaction.state.log.num.partitions": 4,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": 1_000,
    "message.max.bytes": 11 * 1024 * 1024,
    "replica.fetch.max.bytes": 11 * 1024 * 1024,
    "socket.request.max.bytes": 104_857_600,
    "log.cleaner.dedupe.buffer.size": 4 * 1024 * 1024,
    "log.cleaner.io.buffer.size": 65_536,
  })
    .map(([key, value]) => `${key}=${value}`)
    .join("\n");
}

/**
 * Starts a broker on free ports of 127.0.0.1 with its data in a temporary folder: 4 partitions by default, topics are
 * created when first used, messages up to 11 MiB. Takes 3 to 5 seconds.
 */
export async function startKafka(): Promise<KafkaBroker> {
  if (!existsSync(jars)) throw new Error(`No Kafka in ${jars}: run \`npm test\` once, it installs the broker.`);
  const [port, controller] = [await freePort(), await freePort()];
  const folder = await mkdtemp(join(tmpdir(), "waybill-kafka-"));
  const config = join(folder, "server.properties");
  await writeFile(config, properties(port, controller, join(folder, "data")));
  const java = ["-cp", `${jars}*`, ...javaFlags];
  // One that begins with "-" would be read as an option: the prefix keeps the first six bits away from it.
  const uuid = `A${randomBytes(16).toString("base64url").slice(1)}`;
  await promisify(execFile)("java", [...java, "kafka.tools.StorageTool", "format", "-t", uuid, "-c", config]);

  let child: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    const log = await open(join(folder, "broker.log"), "a");
    const started = spawn("java", [...java, "kafka.Kafka", config], { stdio: ["ignore", log.fd, log.fd] });
    child = started;
    await log.close();
    for (const until = Date.now() + 60_000; !(await answers(port)); await sleep(100)) {
      const why = started.exitCode !== null ? `ended with code ${started.exitCode}` : "does not listen after 60 s";
      if (started.exitCode === null && Date.now() < until) continue;
      throw new Error(`Kafka ${why}: ${(await readFile(join(folder, "broker.log"), "utf8")).slice(-2_000)}`);
    }
  };
  const end = async (signal: "SIGKILL" | "SIGTERM"): Promise<void> => {
    const running = child;
    child = undefined;
    if (!running || running.exitCode !== null || running.signalCode !== null) return;
    const gone = new Promise((resolve) => running.once("exit", resolve));
    running.kill(signal);
    await gone;
  };
  // The JVM must not outlive a test run that ends without `stop`.
  const orphan = (): void => void child?.kill("SIGKILL");
  process.once("exit", orphan);
  await start();

  return {
    brokers: `127.0.0.1:${port}`,
    port,
    createTopic: (name, partitions, topicConfig) => createTopic(`127.0.0.1:${port}`, name, partitions, topicConfig),
    groups: () =>
      withAdmin(`127.0.0.1:${port}`, async (admin) => (await admin.listGroups()).groups.map((each) => each.groupId)),
    freeze: () => void child?.kill("SIGSTOP"),
    thaw: () => void child?.kill("SIGCONT"),
    kill: () => end("SIGKILL"),
    restart: async () => {
      await end("SIGTERM");
      await start();
    },
    async stop() {
      process.off("exit", orphan);
      await end("SIGKILL");
      await rm(folder, { recursive: true, force: true });
    },
  };
}

type Admin = ReturnType<InstanceType<typeof confluent.KafkaJS.Kafka>["admin"]>;

async function withAdmin<T>(brokers: string, use: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = new confluent.KafkaJS.Kafka({ "bootstrap.servers": brokers, log_level: 0 }).admin();
  await admin.connect();
  try {
    return await use(admin);
  } finally {
    await admin.disconnect();
  }
}

function createTopic(
  brokers: string,
  topic: string,
  partitions: number,
  config: Record<string, string> = {},
): Promise<void> {
  return withAdmin(brokers, async (admin) => {
    const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }));
    await admin.createTopics({
      topics: [{ topic, numPartitions: partitions, replicationFactor: 1, configEntries }],
    });
    for (let attempt = 0; attempt < 50; attempt++) {
      const known = await admin.fetchTopicMetadata({ topics: [topic] }).catch(() => undefined);
      if (known?.[0]?.partitions.filter((each) => each.leader >= 0).length === partitions) return;
      await sleep(50);
    }
    throw new Error(`Topic ${topic} got no leader within 2.5 s`);
  });
}
