import type { Row } from "./result.ts";
import { overKafka, overNats } from "./support/brokers.ts";
import type { Tool } from "./support/environment.ts";

/** The tables of the page, in their order. */
export const themes = [
  "Publishing",
  "Consuming",
  "Latency",
  "Many subscriptions, long runs",
  "Start",
  "Runtimes",
  "Beside Watermill",
] as const;

/** A comparison that `npm run bench` knows. */
export interface Comparison {
  readonly name: string;
  readonly theme: (typeof themes)[number];
  readonly tools: readonly Tool[];
  /** @platformatic/kafka needs a newer Node than the project. */
  readonly onNode24?: boolean;
  run(): Promise<Row | readonly Row[]>;
}

const nats: readonly Tool[] = ["nats-server"];
const natsAndPeers: readonly Tool[] = ["nats-server", "peers"];
const kafka: readonly Tool[] = ["kafka", "confluent client"];
const kafkaAndPeers: readonly Tool[] = [...kafka, "peers"];
const platformatic: readonly Tool[] = [...kafka, "runtimes"];
const jetstream = { jetstream: true };

// Imported where they run: a process holds the code of its own comparison alone.
const natsPublish = () => import("./nats/publish.ts");
const natsNest = () => import("./nats/nest.ts");
const streams = () => import("./jetstream.ts");
const delivery = () => import("./delivery.ts");
const kafkaProduce = () => import("./kafka/produce.ts");
const kafkaConsume = () => import("./kafka/consume.ts");
const kafkaNest = () => import("./kafka/nest.ts");
const onPlatformatic = () => import("./kafka/platformatic.ts");
const confirmed = () => import("./latency/confirmed.ts");
const requestReply = () => import("./latency/request-reply.ts");
const pageToConsumer = () => import("./latency/page-to-consumer.ts");
const watermill = () => import("./peers/watermill.ts");

const publishing: readonly Omit<Comparison, "theme">[] = [
  { name: "nats-post", tools: nats, run: async () => overNats((await natsPublish()).post) },
  { name: "nats-publish", tools: nats, run: async () => overNats((await natsPublish()).publish) },
  { name: "nats-traced-post", tools: nats, run: async () => overNats((await natsPublish()).tracedPost) },
  { name: "nats-traced", tools: nats, run: async () => overNats((await natsPublish()).traced) },
  { name: "nats-nest-emit", tools: natsAndPeers, run: async () => overNats((await natsNest()).emit) },
  { name: "jetstream-publish", tools: nats, run: async () => overNats((await streams()).publish, jetstream) },
  { name: "kafka-batches", tools: kafka, run: async () => overKafka((await kafkaProduce()).batches) },
  { name: "kafka-batcher", tools: kafka, run: async () => overKafka((await kafkaProduce()).batcher) },
  { name: "kafka-nest", tools: kafkaAndPeers, run: async () => overKafka((await kafkaNest()).emit) },
  {
    name: "kafka-platformatic-batches",
    tools: platformatic,
    onNode24: true,
    run: async () => overKafka((await onPlatformatic()).platformaticBatches),
  },
];

const consuming: readonly Omit<Comparison, "theme">[] = [
  { name: "nats-nest-consume", tools: natsAndPeers, run: async () => overNats((await natsNest()).consume) },
  { name: "jetstream-consume", tools: nats, run: async () => overNats((await streams()).consume, jetstream) },
  { name: "delivery-jetstream", tools: nats, run: async () => overNats((await delivery()).overJetStream, jetstream) },
  { name: "delivery-kafka", tools: kafka, run: async () => overKafka((await delivery()).overKafka) },
  { name: "kafka-consume", tools: kafka, run: async () => overKafka((await kafkaConsume()).consumption) },
  { name: "kafka-consume-decoded", tools: kafka, run: async () => overKafka((await kafkaConsume()).decoded) },
  { name: "kafka-each-message", tools: kafka, run: async () => overKafka((await kafkaConsume()).eachMessage) },
  { name: "kafka-nest-consume", tools: kafkaAndPeers, run: async () => overKafka((await kafkaNest()).consume) },
  {
    name: "kafka-platformatic-consume",
    tools: platformatic,
    onNode24: true,
    run: async () => overKafka((await onPlatformatic()).platformaticConsumption),
  },
];

const latency: readonly Omit<Comparison, "theme">[] = [
  { name: "latency-nats", tools: nats, run: async () => overNats((await confirmed()).overCoreNats) },
  { name: "latency-jetstream", tools: nats, run: async () => overNats((await confirmed()).overJetStream, jetstream) },
  { name: "latency-kafka", tools: kafkaAndPeers, run: async () => overKafka((await confirmed()).overKafka) },
  { name: "latency-request", tools: natsAndPeers, run: async () => overNats((await requestReply()).requestReply) },
  {
    name: "latency-page",
    tools: ["nats-server", "chromium"],
    run: async () => overNats((await pageToConsumer()).pageToConsumer),
  },
];

const scale: readonly Omit<Comparison, "theme">[] = [
  { name: "subscriptions", tools: nats, run: async () => (await import("./scale/subscriptions.ts")).subscriptions() },
  { name: "memory", tools: nats, run: async () => (await import("./scale/memory.ts")).memory() },
];

const others: readonly Comparison[] = [
  {
    name: "imports",
    theme: "Start",
    tools: ["confluent client", "runtimes"],
    run: async () => (await import("./runtimes/imports.ts")).imports(),
  },
  {
    name: "runtimes",
    theme: "Runtimes",
    tools: ["runtimes"],
    run: async () => (await import("./runtimes/runtimes.ts")).runtimes(),
  },
  {
    name: "watermill-nats",
    theme: "Beside Watermill",
    tools: ["nats-server", "watermill"],
    run: async () => (await watermill()).overCoreNats(),
  },
  {
    name: "watermill-jetstream",
    theme: "Beside Watermill",
    tools: ["nats-server", "watermill"],
    run: async () => (await watermill()).overJetStream(),
  },
  {
    name: "watermill-kafka",
    theme: "Beside Watermill",
    tools: [...kafka, "watermill"],
    run: async () => (await watermill()).overKafkaBroker(),
  },
];

/** Every comparison, in the order of the page. */
export const comparisons: readonly Comparison[] = [
  ...publishing.map((each) => ({ ...each, theme: "Publishing" as const })),
  ...consuming.map((each) => ({ ...each, theme: "Consuming" as const })),
  ...latency.map((each) => ({ ...each, theme: "Latency" as const })),
  ...scale.map((each) => ({ ...each, theme: "Many subscriptions, long runs" as const })),
  ...others,
];
