import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import type { Machine } from "../result.ts";
import { manifest } from "./manifest.ts";
import { peerVersions } from "./nest.ts";
import { at, cache } from "./paths.ts";

/** The machine, without its name. */
export function machine(): Machine {
  const file = "/etc/os-release";
  const name = existsSync(file) ? /^PRETTY_NAME="?([^"\n]+)/m.exec(readFileSync(file, "utf8"))?.[1] : undefined;
  return {
    cpu: cpus()[0]?.model.trim() || "unknown",
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${name ?? process.platform}, ${process.platform} ${release()}, ${process.arch}`,
  };
}

/** What a comparison needs beside Node and the packages of this project. */
export type Tool = "nats-server" | "kafka" | "confluent client" | "chromium" | "runtimes" | "peers" | "watermill";

function ask(command: string, ...args: readonly string[]): string {
  try {
    return execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  } catch {
    return "";
  }
}

const found = (text: string, pattern: RegExp): string => pattern.exec(text)?.[1] ?? "unknown";
const runtime = (name: string): string => found(ask(cache("tools/runtimes/bin", name), "--version"), /(\d+\.\d+\.\d+)/);

const versionsOf: Readonly<Record<Tool, () => Record<string, string>>> = {
  "nats-server": () => ({ "nats-server": found(ask(cache("tools/nats-server"), "--version"), /v(\d\S*)/) }),
  kafka: () => ({
    Kafka: found(readdirSync(cache("tools/kafka")).join("\n"), /^kafka_[\d.]+-(.+)\.jar$/m),
    Java: found(ask("java", "--version"), /(\d+\.\d+\.\d+\S*)/),
  }),
  "confluent client": () => ({}), // one of the packages
  chromium: () => ({ Chromium: found(ask(cache("tools/chromium"), "--version", "--no-sandbox"), /(\d[\d.]+)/) }),
  runtimes: () => ({ "Node 24": runtime("node24"), Deno: runtime("deno"), Bun: runtime("bun") }),
  peers: peerVersions,
  watermill: () => {
    const modules = readFileSync(at("bench/peers/watermill/go.mod"), "utf8");
    const direct = [...modules.matchAll(/^\s*(?:require )?(github\.com\/ThreeDotsLabs\/\S+) v(\S+)$/gm)];
    return {
      Go: found(ask("go", "version"), /go(\d\S+)/),
      ...Object.fromEntries(direct.map(([, name, v]) => [name, v])),
    };
  },
};

const installed = (name: string): string =>
  (JSON.parse(readFileSync(at("node_modules", name, "package.json"), "utf8")) as { version: string }).version;

/** The packages of this project that comparisons use. */
const packages = [
  "@opentelemetry/api",
  "@opentelemetry/sdk-trace-base",
  "@nats-io/nats-core",
  "@nats-io/transport-node",
  "@nats-io/jetstream",
  "@confluentinc/kafka-javascript",
  "@platformatic/kafka",
];

/** The versions of what a comparison runs with. */
export function versions(tools: readonly Tool[]): Record<string, string> {
  return Object.assign(
    { [manifest.name]: manifest.version, Node: process.versions.node },
    ...packages.map((name) => ({ [name]: installed(name) })),
    ...tools.map((tool) => versionsOf[tool]()),
  ) as Record<string, string>;
}
