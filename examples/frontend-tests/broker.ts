import type { WebSocketHandler } from "msw";
import { NatsEngine, natsHandler } from "waybill/testing";

/** Where the page believes its server to be. Nothing listens there. */
export const servers = "ws://localhost:9222";

/** The broker in memory: a test looks into it, publishes from it and cuts its connections. */
export const broker = new NatsEngine();

/** For `setupServer` and `setupWorker`, beside the handlers of HTTP. */
export const handlers: readonly WebSocketHandler[] = [await natsHandler(servers, { engine: broker })];
