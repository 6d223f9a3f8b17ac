import { connect, type NatsConnection } from "@nats-io/transport-node";
import { BasicTracerProvider, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { natsConnectDefaults } from "waybill/nats";
import { spanExporter, spansSubject } from "./spans.ts";

/** What every service of the shop begins with: a connection, and spans that reach the page over it. */
export async function startService(name: string): Promise<{
  connection: NatsConnection;
  tracerProvider: BasicTracerProvider;
}> {
  const servers = process.env.NATS_URL;
  if (!servers) throw new Error("NATS_URL is not set: start the shop with `npm run demo`");
  const connection = await connect({ servers, ...natsConnectDefaults({ name }) });
  const exporter = spanExporter(name, (json) => connection.publish(spansSubject, json));
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  return { connection, tracerProvider };
}

/** Says that the service is up, and closes it when it is told to stop. */
export function ready(close: () => Promise<unknown>): void {
  const stop = (): void => {
    void close().finally(() => process.exit(0));
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  process.on("disconnect", stop); // the demo is gone: do not stay behind
  process.send?.("ready");
}
