/** Where cases run. */
export const runtimes = ["node-24", "node-22", "node-20", "deno", "bun", "workerd", "chromium"] as const;
export type Runtime = (typeof runtimes)[number];

/** What cases run against: a transport with the client that carries it. */
export const transports = [
  "memory",
  "nats-tcp",
  "nats-wsconnect",
  "nats-nats.ws",
  "jetstream-tcp",
  "jetstream-wsconnect",
  "kafka-confluent",
  "kafka-platformatic",
] as const;
export type TransportName = (typeof transports)[number];

/** A pair that runs: every case, or those that are marked as core. */
export interface Cell {
  readonly runtime: Runtime;
  readonly transport: TransportName;
  readonly cases: "all" | "core";
  /** How many cases run at once: most of their time is waiting. */
  readonly concurrency: number;
}

const servers = ["node-22", "node-20", "deno", "bun"] as const;
const noSockets = "opens no TCP sockets";

/** Why a pair does not run; what is not named here does. */
const impossible: Partial<Record<Runtime, Partial<Record<TransportName, string>>>> = {
  "node-24": {},
  "node-22": { "kafka-confluent": "the native client is built for Node 20 and 24 here" },
  "node-20": { "kafka-platformatic": "@platformatic/kafka needs Node 22.22" },
  deno: { "kafka-confluent": "the native client is for Node" },
  bun: { "kafka-confluent": "the native client is for Node" },
  workerd: pageOnly(),
  chromium: pageOnly(),
};

function pageOnly(): Partial<Record<TransportName, string>> {
  return {
    "nats-tcp": noSockets,
    "jetstream-tcp": noSockets,
    "kafka-confluent": noSockets,
    "kafka-platformatic": noSockets,
  };
}

/** Why a pair does not run; undefined when it does. */
export function whyNot(runtime: Runtime, transport: TransportName): string | undefined {
  return impossible[runtime]?.[transport];
}

/** Every pair that runs. Node 24 runs every case, the others those that are marked as core. */
export const cells: readonly Cell[] = runtimes.flatMap((runtime) =>
  transports
    .filter((transport) => whyNot(runtime, transport) === undefined)
    .map((transport) => ({
      runtime,
      transport,
      cases: runtime === "node-24" ? "all" : "core",
      concurrency: 8,
    })),
);

/** Whether it is one of the runtimes that run a program of the repository by a command. */
export const isServer = (runtime: Runtime): boolean => runtime === "node-24" || servers.some((one) => one === runtime);
