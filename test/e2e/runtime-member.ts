// A service or a consumer of the journey in a process of its own, on Node, Deno or Bun:
// runtime-member.ts <role> <NATS URL> <brokers> <subject> <destination> <hop>. Prints a line when it is ready, one for
// each 100 events handled, and, told to stop, one with all it saw.
import process from "node:process";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import type { Catalog } from "waybill";
import type { ServerConnectOptions } from "waybill/node";
import { createBridge } from "waybill/patterns";
import { factsOf, type SpanFacts } from "./span-facts.ts";

/** What a member printed at its end. */
export interface MemberReport {
  readonly handled: readonly { readonly id: string; readonly key: string | undefined }[];
  readonly forwarded: number;
  readonly spans: readonly SpanFacts[];
  readonly errors: readonly string[];
  readonly closed: { readonly unsent: number; readonly unsettled: number };
}

const [role = "", servers = "", brokers = "", subject = "", destination = "", hop = ""] = process.argv.slice(2);
const exporter = new InMemorySpanExporter();
const errors: string[] = [];
const options: ServerConnectOptions<Catalog, { brokers: string }> = {
  source: `/e2e/${role}`,
  tracerProvider: new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }),
  nats: { servers, name: role },
  ...(hop === "jetstream"
    ? { jetstream: { streams: [{ name: destination.toUpperCase(), subjects: [destination] }] } }
    : { kafka: { brokers } }),
  routes: [{ type: "**", to: "nats" }],
  onError: (error) => void errors.push(`${error.code}: ${error.message}`),
};

const runtime = "Deno" in globalThis ? "deno" : "Bun" in globalThis ? "bun" : "node";
const open = {
  deno: async () => (await import("waybill/deno")).connect(options),
  bun: async () => (await import("waybill/bun")).connect(options),
  node: async () => (await import("waybill/node")).connect(options),
}[runtime];
const bus = await open();

const handled: MemberReport["handled"][number][] = [];
const transport = hop === "jetstream" ? "jetstream" : "kafka";
const bridge =
  role === "bridge"
    ? await createBridge({
        from: { bus, types: subject, transport: "nats", group: "bridge" },
        to: { bus, transport, destination },
      })
    : undefined;
if (!bridge) {
  await bus.subscribe(
    subject,
    (event, { key }) => {
      handled.push({ id: event.id, key });
      if (handled.length % 100 === 0) console.log(`handled ${handled.length}`);
    },
    { transport, destination, group: "handlers", concurrency: 4 },
  );
}
process.once("SIGTERM", async () => {
  const closed = await bus.close();
  const spans = exporter.getFinishedSpans().map((span) => factsOf(role, span));
  const report: MemberReport = { handled, forwarded: bridge?.forwarded ?? 0, spans, errors, closed };
  process.stdout.write(`report ${JSON.stringify(report)}\n`, () => process.exit(0));
});
console.log("ready");
