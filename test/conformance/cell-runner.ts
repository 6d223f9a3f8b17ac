import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { CaseResult } from "waybill/testing";
import { openPage } from "../support/chromium.ts";
import { freePort } from "../support/free-port.ts";
import { bundleServer, bundleWorker, runtimeCommand } from "./bundles.ts";
import { type Cell, isServer } from "./matrix.ts";
import type { CellOrder } from "./programs/run-cell.ts";

/** A runtime that says nothing for so long has hung. */
const silenceMs = 180_000;
/** What a page or an edge function may take for all its cases. */
const cellMs = 300_000;

/** Where the brokers listen, and whether one case alone is wanted. */
export type CellSetting = Pick<CellOrder, "nats" | "kafkaPort" | "only">;

/** Runs one cell on its runtime and returns the results of its cases. Rejects when the runtime fails as a whole. */
export async function runOnRuntime(cell: Cell, setting: CellSetting): Promise<readonly CaseResult[]> {
  const { transport, cases, concurrency } = cell;
  const order: CellOrder = { transport, cases, concurrency, ...setting };
  const results: CaseResult[] = [];
  const take = (line: string): void => {
    if (line.startsWith("RESULT ")) results.push(JSON.parse(line.slice(7)) as CaseResult);
  };
  if (isServer(cell.runtime)) await inProcess(cell, order, take);
  else if (cell.runtime === "chromium") await inPage(order, take);
  else await inWorker(order, take);
  return results;
}

async function inProcess(cell: Cell, order: CellOrder, take: (line: string) => void): Promise<void> {
  const [command, ...flags] = runtimeCommand(cell.runtime);
  const program = await bundleServer(cell);
  const child = spawn(command!, [...flags, program, JSON.stringify(order)], { stdio: ["ignore", "pipe", "pipe"] });
  const complaints: string[] = [];
  let done = false;
  let silent: NodeJS.Timeout;
  const heard = (): void => {
    clearTimeout(silent);
    silent = setTimeout(() => child.kill("SIGKILL"), silenceMs);
  };
  heard();
  createInterface({ input: child.stdout }).on("line", (line) => {
    heard();
    done ||= line === "DONE";
    take(line);
  });
  createInterface({ input: child.stderr }).on("line", (line) => void complaints.push(line));
  await new Promise((resolve) => child.once("close", resolve));
  clearTimeout(silent!);
  if (!done) throw new Error(`${cell.runtime} ended early:\n${complaints.slice(-20).join("\n")}`);
}

async function inPage(order: CellOrder, take: (line: string) => void): Promise<void> {
  await using opened = await openPage("test/conformance/programs/page.ts");
  opened.page.on("console", (message) => take(message.text()));
  await bounded(
    "chromium",
    opened.page.evaluate((given) => window.runOrder(given), order),
  );
}

async function inWorker(order: CellOrder, take: (line: string) => void): Promise<void> {
  const { binary, config } = await bundleWorker();
  const port = await freePort();
  const child = spawn(binary, ["serve", config, `-shttp=127.0.0.1:${port}`], { stdio: ["ignore", "ignore", "pipe"] });
  const complaints: string[] = [];
  createInterface({ input: child.stderr }).on("line", (line) => void complaints.push(line));
  try {
    const answer = await bounded("workerd", post(port, JSON.stringify(order)));
    const lines = answer.split("\n");
    for (const line of lines) take(line);
    if (lines.at(-1) !== "DONE") throw new Error(`workerd: ${lines.at(-1)}\n${complaints.slice(-20).join("\n")}`);
  } finally {
    child.kill("SIGKILL");
  }
}

/** A page and an edge function tell their end alone. */
async function bounded<T>(runtime: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${runtime}: not finished after ${cellMs} ms`)), cellMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Tries again while the server is not up yet. */
async function post(port: number, body: string): Promise<string> {
  for (let attempt = 0; ; attempt++) {
    try {
      const response = await fetch(`http://127.0.0.1:${port}/`, { method: "POST", body });
      return await response.text();
    } catch (error) {
      const refused = ((error as Error).cause as { code?: string } | undefined)?.code === "ECONNREFUSED";
      if (!refused || attempt > 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
