import type { NatsConnection } from "@nats-io/transport-node";
import type { Page } from "playwright-core";
import { createEventBus } from "waybill";
import { natsTransport } from "waybill/nats";
import { openPage } from "../../test/support/chromium.ts";
import type { NatsServer } from "../../test/support/nats-server.ts";
import { pageSubject, source } from "../event.ts";
import type { Row } from "../result.ts";
import { latencies } from "../support/latency.ts";
import type { BenchPage } from "./page.ts";

declare const bench: BenchPage; // in the page

const turns = { count: 100, rounds: 20, warmUp: 4 };
const nowMs = (): number => performance.timeOrigin + performance.now();

/** How far the page's clock is ahead of this process's: by the shortest of many questions, to half its duration. */
async function clockOffsetMs(page: Page): Promise<number> {
  let shortestMs = Number.POSITIVE_INFINITY;
  let offsetMs = 0;
  for (let n = 0; n < 200; n++) {
    const askedAtMs = nowMs();
    const pageMs = await page.evaluate(() => bench.nowMs());
    const tookMs = nowMs() - askedAtMs;
    if (tookMs >= shortestMs) continue;
    shortestMs = tookMs;
    offsetMs = pageMs - (askedAtMs + tookMs / 2);
  }
  return offsetMs;
}

/**
 * From the call in a page of Chromium, over NATS WebSocket, to the handler in this process, which is connected by TCP;
 * against the same with the client alone.
 */
export async function pageToConsumer(connection: NatsConnection, server: NatsServer): Promise<readonly Row[]> {
  await using opened = await openPage("bench/latency/page.ts");
  const { page, errors } = opened;
  let arrived: (sentAtMs: number) => void = () => undefined;
  const bus = createEventBus({ source, transports: { nats: natsTransport({ connection }) } });
  const handle = ({ data }: { readonly data: unknown }): void => arrived((data as { sentAtMs: number }).sentAtMs);
  await bus.subscribe(pageSubject, handle);
  connection.subscribe(`${pageSubject}.raw`, {
    callback: (_, message) => arrived(message.json<{ sentAtMs: number }>().sentAtMs),
  });
  await connection.flush();
  await page.evaluate((servers) => bench.connect(servers), server.websocketUrl);
  const offsetMs = await clockOffsetMs(page);

  const timed = async (send: () => Promise<void>): Promise<number> => {
    const taken = new Promise<number>((resolve) => {
      arrived = (sentAtMs) => resolve(nowMs() - (sentAtMs - offsetMs));
    });
    await send();
    return await taken;
  };
  const rows = await latencies(
    "Page to consumer, NATS over WebSocket",
    [
      { name: "bus to bus", one: () => timed(() => page.evaluate(() => bench.ours())) },
      { name: "nats.js to nats.js", one: () => timed(() => page.evaluate(() => bench.theirs())) },
    ],
    turns,
    "a page's clock has steps of 100 µs; theirs carries no headers",
  );
  if (errors.length > 0) throw new Error(`the page complains: ${errors.join("; ")}`);
  return rows;
}
