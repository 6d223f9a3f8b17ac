import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { freePort } from "./free-port.ts";
import { createTopic, groups } from "./kafka-admin.ts";

const jars = fileURLToPath(new URL("../../.cache/tools/kafka/", import.meta.url));
// KRaft broker and controller in one small JVM: a test needs neither throughput tuning nor a large heap.
const javaFlags = ["-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"];

/** A further listener with TLS and every SASL mechanism the drivers have. */
export interface BrokerSecurity {
  /** PEM: the broker's key and its certificate. */
  readonly keyAndCertificate: string;
  readonly username: string;
  readonly password: string;
  /** Signs in by PLAIN with the same password, and may do only what the test allows. */
  readonly guest?: string;
}

/** A real Kafka broker of one node, run for a test. */
export interface KafkaBroker {
  /** `127.0.0.1:<port>`, as `bootstrap.servers` wants it. */
  readonly brokers: string;
  readonly port: number;
  /** The listener of {@link BrokerSecurity}, where it was asked for. */
  readonly secure: string;
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

function secureListener({ username, password, guest }: BrokerSecurity, pem: string): Record<string, string> {
  const users = [username, ...(guest ? [guest] : [])].map((each) => `user_${each}="${password}"`).join(" ");
  const jaas = "org.apache.kafka.common.security";
  const oauth = `${jaas}.oauthbearer`;
  const settings = {
    "ssl.keystore.type": "PEM",
    "ssl.keystore.location": pem,
    "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
    "plain.sasl.jaas.config": `${jaas}.plain.PlainLoginModule required ${users};`,
    "scram-sha-256.sasl.jaas.config": `${jaas}.scram.ScramLoginModule required;`,
    "scram-sha-512.sasl.jaas.config": `${jaas}.scram.ScramLoginModule required;`,
    "oauthbearer.sasl.jaas.config": `${oauth}.OAuthBearerLoginModule required;`,
    "oauthbearer.sasl.server.callback.handler.class": `${oauth}.internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler`,
  };
  const acl = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": `User:ANONYMOUS;User:${username}`,
  };
  const listener = Object.entries(settings).map(([name, value]) => [`listener.name.secure.${name}`, value]);
  return { ...Object.fromEntries(listener), ...(guest ? acl : {}) };
}

interface Place {
  readonly port: number;
  readonly controller: number;
  readonly secure: number;
  readonly folder: string;
}

function properties({ port, controller, secure, folder }: Place, security: BrokerSecurity | undefined): string {
  const own = `PLAINTEXT://127.0.0.1:${port}`;
  const advertised = security ? `${own},SECURE://127.0.0.1:${secure}` : own;
  return Object.entries({
    "process.roles": "broker,controller",
    "node.id": 1,
    "controller.quorum.voters": `1@127.0.0.1:${controller}`,
    listeners: `${advertised},CONTROLLER://127.0.0.1:${controller}`,
    "advertised.listeners": advertised,
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL",
    "controller.listener.names": "CONTROLLER",
    "log.dirs": join(folder, "data"),
    ...(security ? secureListener(security, join(folder, "broker.pem")) : {}),
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
    // Members whose partitions the broker assigns go by its settings: short, so that a killed one is soon missed.
    "group.consumer.min.session.timeout.ms": 1_000,
    "group.consumer.session.timeout.ms": 3_000,
    "group.consumer.min.heartbeat.interval.ms": 100,
    "group.consumer.heartbeat.interval.ms": 500,
    "message.max.bytes": 11 * 1024 * 1024,
    "replica.fetch.max.bytes": 11 * 1024 * 1024,
    "socket.request.max.bytes": 104_857_600,
    "log.cleaner.dedupe.buffer.size": 4 * 1024 * 1024,
    "log.cleaner.io.buffer.size": 65_536,
    // So that a test can wait for a compaction.
    "log.cleaner.backoff.ms": 200,
  })
    .map(([key, value]) => `${key}=${value}`)
    .join("\n");
}

/**
 * Starts a broker on free ports of 127.0.0.1 with its data in a temporary folder: 4 partitions by default, topics are
 * created when first used, messages up to 11 MiB. Takes 3 to 5 seconds.
 */
export async function startKafka(security?: BrokerSecurity): Promise<KafkaBroker> {
  if (!existsSync(jars)) throw new Error(`No Kafka in ${jars}: run \`npm test\` once, it installs the broker.`);
  const [port, controller, secure] = [await freePort(), await freePort(), await freePort()];
  const folder = await mkdtemp(join(tmpdir(), "waybill-kafka-"));
  const config = join(folder, "server.properties");
  await writeFile(config, properties({ port, controller, secure, folder }, security));
  if (security) await writeFile(join(folder, "broker.pem"), security.keyAndCertificate);
  const java = ["-cp", `${jars}*`, ...javaFlags];
  // One that begins with "-" would be read as an option: the prefix keeps the first six bits away from it.
  const uuid = `A${randomBytes(16).toString("base64url").slice(1)}`;
  const scram = ["256", "512"].flatMap((bits) =>
    security ? ["-S", `SCRAM-SHA-${bits}=[name=${security.username},password=${security.password}]`] : [],
  );
  await promisify(execFile)("java", [...java, "kafka.tools.StorageTool", "format", "-t", uuid, "-c", config, ...scram]);

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
    secure: `127.0.0.1:${secure}`,
    createTopic: (name, partitions, topicConfig) => createTopic(port, name, partitions, topicConfig),
    groups: () => groups(port),
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
