import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { connect } from "@nats-io/transport-node";
import { chromium } from "playwright-core";
import { arrange, type SpanRecord, spansSubject } from "./spans.ts";

const browsers = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/usr/bin/google-chrome-stable",
];
const browserPath = process.env.CHROMIUM_PATH ?? browsers.find((path) => existsSync(path));
const deadlineMs = 25_000;

/** The spans that the journey of one order must have, from the click to the answer on the page. */
const expected = [
  "page: click: place order",
  "page: request price.quote",
  "pricing-service: process price.quote",
  "page: publish order.placed",
  "order-service: process order.placed",
  "order-service: publish orders",
  "order-service: process orders",
  "order-service: publish order.confirmed",
  "page: process order.confirmed",
];

/** Makes the journey of one order, prints its trace, and answers the exit code. */
export async function runOnce(url: string, env: { NATS_URL: string; NATS_WS_URL: string }): Promise<number> {
  const connection = await connect({ servers: env.NATS_URL });
  const spans: SpanRecord[] = [];
  connection.subscribe(spansSubject, { callback: (_, message) => void spans.push(...message.json<SpanRecord[]>()) });
  await connection.flush();
  const until = Date.now() + deadlineMs;
  if (browserPath) await inBrowser(url, browserPath);
  else {
    console.log("page: simulated in Node");
    const file = fileURLToPath(new URL("./page-in-node.ts", import.meta.url));
    await promisify(execFile)(process.execPath, ["--import", "tsx", file, env.NATS_WS_URL], { timeout: deadlineMs });
  }
  const missing = (): string[] => {
    const names = new Set(spans.map(({ service, name }) => `${service}: ${name}`));
    return expected.filter((name) => !names.has(name));
  };
  while (missing().length > 0 && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 50));
  await connection.close();
  return report(spans, missing());
}

async function inBrowser(url: string, executablePath: string): Promise<void> {
  console.log(`page: ${executablePath}`);
  const args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"];
  const browser = await chromium.launch({ executablePath, args });
  try {
    const page = await browser.newPage();
    page.on("pageerror", (error) => console.error(`page: ${error.message}`));
    page.on("console", (message) => message.type() === "error" && console.error(`page: ${message.text()}`));
    await page.goto(url);
    await page.waitForSelector("body[data-ready]", { timeout: deadlineMs });
    await page.click("#order");
    await page.waitForFunction(() => document.getElementById("answer")?.textContent?.includes("confirmed"), null, {
      timeout: deadlineMs,
    });
    // The waterfall of the page itself has the journey's spans, too.
    await page.waitForFunction((rows) => document.querySelectorAll("#waterfall .row").length >= rows, expected.length, {
      timeout: deadlineMs,
    });
    const picture = process.env.SHOP_SCREENSHOT;
    if (picture) await page.screenshot({ path: picture, fullPage: true });
  } finally {
    await browser.close();
  }
}

function report(all: readonly SpanRecord[], missing: readonly string[]): number {
  const click = all.find(({ name }) => name === expected[0]!.slice("page: ".length));
  const spans = all.filter(({ traceId }) => traceId === click?.traceId);
  const { tree, orphans } = arrange(spans);
  const roots = tree.filter(({ depth }) => depth === 0);
  console.log(`\ntrace ${click?.traceId ?? "(none)"}`);
  for (const { depth, name, service, startMs, endMs } of tree) {
    const label = `${"  ".repeat(depth)}${name}`;
    console.log(`${label.padEnd(48)} ${service.padEnd(16)} ${(endMs - startMs).toFixed(1).padStart(8)} ms`);
  }
  const elsewhere = expected.filter((name) => !spans.some((span) => `${span.service}: ${span.name}` === name));
  const faults = [
    ...missing.map((name) => `missing span: ${name}`),
    ...elsewhere.filter((name) => !missing.includes(name)).map((name) => `in another trace: ${name}`),
    ...orphans.map(({ service, name }) => `orphan span: ${service}: ${name}`),
    ...(roots.length === 1 ? [] : [`${roots.length} root spans`]),
  ];
  for (const fault of faults) console.error(fault);
  console.log(faults.length > 0 ? "\nnot one trace" : `\none trace, ${tree.length} spans, no orphans`);
  return faults.length > 0 ? 1 : 0;
}
