// Runs in Chromium: publishes events that say when they were sent.
import { wsconnect } from "@nats-io/nats-core";
import { createEventBus } from "waybill";
import { natsConnectDefaults, natsTransport } from "waybill/nats";
import { pageSubject, source } from "../event.ts";

/** What the page does for the comparison. */
export interface BenchPage {
  connect(servers: string): Promise<void>;
  /** This page's clock, in milliseconds since 1970 with a fraction. */
  nowMs(): number;
  ours(): Promise<void>;
  theirs(): Promise<void>;
}

const nowMs = (): number => performance.timeOrigin + performance.now();
const notConnected = (): Promise<void> => Promise.reject(new Error("not connected"));

const page: BenchPage = {
  nowMs,
  ours: notConnected,
  theirs: notConnected,
  async connect(servers) {
    const open = () => wsconnect({ servers, ...natsConnectDefaults({ name: "bench" }) });
    const [connection, raw] = [await open(), await open()];
    const bus = createEventBus({ source, transports: { nats: natsTransport({ connection }) } });
    page.ours = async () => void (await bus.publish(pageSubject, { sentAtMs: nowMs() }));
    page.theirs = async () => {
      raw.publish(`${pageSubject}.raw`, JSON.stringify({ sentAtMs: nowMs() }));
      await raw.flush();
    };
  },
};
Object.assign(globalThis, { bench: page });
