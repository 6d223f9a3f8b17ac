import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { startEmbeddedNats } from "waybill/testing";
import { runOnce } from "./once.ts";

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const once = process.argv.includes("--once");
const children: ChildProcess[] = [];

/** Starts a process of the shop; resolves with its first message, which says that it is up. */
function start(file: string, env: Record<string, string>): Promise<unknown> {
  const child = fork(at(file), [], { env: { ...process.env, ...env }, execArgv: ["--import", "tsx"] });
  children.push(child);
  return new Promise((resolve, reject) => {
    child.once("message", resolve);
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`${file} ended with code ${code} before it was ready`)));
  });
}

const given = process.env.NATS_URL;
if (given && !process.env.NATS_WS_URL) {
  console.error("NATS_URL is set, so NATS_WS_URL must name the same server's WebSocket, such as ws://127.0.0.1:8080");
  process.exit(2);
}
const embedded = given ? undefined : await startEmbeddedNats();
const env = {
  NATS_URL: given ?? embedded!.url,
  NATS_WS_URL: process.env.NATS_WS_URL ?? embedded!.websocketUrl,
};

async function stop(code: number): Promise<never> {
  for (const child of children) {
    child.removeAllListeners("exit");
    child.kill("SIGTERM");
  }
  await embedded?.close();
  process.exit(code);
}
process.on("SIGINT", () => void stop(0));
process.on("SIGTERM", () => void stop(0));

try {
  const [web] = await Promise.all([
    start("./web-server.ts", env),
    start("./pricing-service.ts", env),
    start("./order-service.ts", env),
  ]);
  const { url } = web as { url: string };
  const hop = process.env.KAFKA_BROKERS ? "Kafka" : "memory (set KAFKA_BROKERS for Kafka)";
  console.log(`NATS: ${given ? "the server of NATS_URL" : "embedded (set NATS_URL and NATS_WS_URL for a real one)"}`);
  console.log(`durable hop: ${hop}`);
  if (once) await stop(await runOnce(url, env));
  console.log(`\n  the shop is open: ${url}\n\nCtrl-C closes it.`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  await stop(1);
}
