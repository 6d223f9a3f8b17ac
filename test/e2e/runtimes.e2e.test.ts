import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openPage, type TestPage } from "../support/chromium.ts";
import { type KafkaBroker, startKafka } from "../support/kafka-broker.ts";
import { type NatsServer, startNatsServer } from "../support/nats-server.ts";
import { type Program, type RuntimeName, startProgram } from "../support/runtimes.ts";
import type { PageApi } from "./page.ts";
import type { MemberReport } from "./runtime-member.ts";
import { byEvent, orphansOf } from "./span-facts.ts";

const count = 1000;
const member = "test/e2e/runtime-member.ts";
let nats: NatsServer;
let kafka: KafkaBroker;
let page: TestPage;

beforeAll(async () => {
  nats = await startNatsServer({ jetstream: true });
  kafka = await startKafka();
  page = await openPage("test/e2e/page.ts");
});
afterAll(async () => {
  await page?.[Symbol.asyncDispose]();
  await Promise.all([nats?.stop(), kafka?.stop()]);
});

async function stop(program: Program): Promise<MemberReport> {
  program.signal("SIGTERM");
  const report = JSON.parse(await program.line("report ")) as MemberReport;
  await program.ended;
  return report;
}

const handledBy = (program: Program): number =>
  Math.max(0, ...program.lines.map((line) => Number(line.match(/^handled (\d+)$/)?.[1] ?? 0)));

describe("from a page in Chromium, with service and consumer on another runtime", () => {
  const cases: [RuntimeName, "kafka" | "jetstream"][] = [
    ["deno", "kafka"],
    ["bun", "kafka"],
    ["deno", "jetstream"],
    ["bun", "jetstream"],
    ["node", "jetstream"],
  ];
  test.each(cases)(`${count} events through %s over %s are ${count} traces without orphans`, async (runtime, hop) => {
    const subject = `e2e.${runtime}.${hop}`;
    const destination = `orders-${runtime}-${hop}`;
    if (hop === "kafka") await kafka.createTopic(destination, 4);
    const start = (role: string): Program =>
      startProgram(runtime, member, [role, nats.url, kafka.brokers, subject, destination, hop]);
    const consumer = start("consumer");
    await consumer.line("ready");
    const bridge = start("bridge");
    await bridge.line("ready");

    const published = await page.page.evaluate(
      ([servers, subject, count]) =>
        (globalThis as unknown as { api: PageApi }).api.publish("wsconnect", servers, subject, count),
      [nats.websocketUrl, subject, count] as const,
    );
    const until = Date.now() + 90_000;
    while (handledBy(consumer) < count && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 50));
    const reports = [await stop(bridge), await stop(consumer)] as const;

    for (const { errors, closed } of reports) expect([errors, closed]).toEqual([[], { unsent: 0, unsettled: 0 }]);
    expect(reports[0].forwarded).toBe(count);
    expect(reports[1].handled.map(({ id }) => id).sort()).toEqual([...published.ids].sort());
    expect(new Set(reports[1].handled.map(({ key }) => key)).size).toBe(50);
    const spans = [...published.spans, ...reports.flatMap((report) => report.spans)];
    expect(spans).toHaveLength(4 * count);
    expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(count);
    expect(orphansOf(spans)).toEqual([]);
    for (const [, own] of byEvent(spans)) {
      const steps = own.map(({ service, attributes }) => `${service} ${attributes["messaging.operation.name"]}`).sort();
      expect(steps).toEqual(["bridge process", "bridge publish", "consumer process", "page publish"]);
      expect(new Set(own.map(({ traceId }) => traceId)).size).toBe(1);
    }
  });
});
