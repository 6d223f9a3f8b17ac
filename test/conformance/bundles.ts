import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { Cell, Runtime } from "./matrix.ts";

const at = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const tool = (name: string): string => at(`.cache/tools/runtimes/bin/${name}`);

/** How a runtime runs a program. */
export function runtimeCommand(runtime: Runtime): readonly string[] {
  const commands: Partial<Record<Runtime, readonly string[]>> = {
    "node-20": [process.execPath],
    "node-22": [tool("node22")],
    "node-24": [tool("node24")],
    deno: [tool("deno"), "run", "-A", "--no-prompt", "--no-lock"],
    bun: [tool("bun"), "run"],
  };
  return commands[runtime]!;
}

/**
 * Bundles the program of the servers. Where it lies decides which build of the native client it finds: beside the one
 * for Node 24 is one more.
 */
export async function bundleServer({ runtime, transport }: Cell): Promise<string> {
  const native24 = runtime === "node-24" && transport === "kafka-confluent";
  const outfile = at(native24 ? ".cache/tools/confluent-node24/conformance.mjs" : ".cache/conformance/server.mjs");
  await build({
    entryPoints: [at("test/conformance/programs/server.ts")],
    outfile,
    bundle: true,
    packages: "external",
    format: "esm",
    platform: "node",
    target: "es2022",
    tsconfig: at("tsconfig.json"),
    logLevel: "error",
  });
  return outfile;
}

/** Bundles the program of workerd with all it needs, and writes its configuration. */
export async function bundleWorker(): Promise<{ readonly binary: string; readonly config: string }> {
  const outfile = at(".cache/conformance/worker.mjs");
  const config = at(".cache/conformance/workerd.capnp");
  await build({
    entryPoints: [at("test/conformance/programs/worker.ts")],
    outfile,
    bundle: true,
    format: "esm",
    platform: "neutral",
    mainFields: ["module", "main"],
    conditions: ["workerd", "worker", "browser"],
    external: ["crypto"], // nats.ws asks for it only where there is no Web Crypto
    target: "es2022",
    tsconfig: at("tsconfig.json"),
    logLevel: "error",
  });
  mkdirSync(dirname(config), { recursive: true });
  writeFileSync(config, workerdConfig);
  return { binary: tool("workerd"), config };
}

const workerdConfig = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .main), (name = "internet", network = .network)],
  sockets = [(name = "http", http = (), service = "main")],
);
const main :Workerd.Worker = (
  modules = [(name = "worker", esModule = embed "worker.mjs")],
  compatibilityDate = "2026-04-01",
);
const network :Workerd.Network = (allow = ["private", "local", "public"]);
`;
