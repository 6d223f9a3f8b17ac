import { setupServer } from "msw/node";
import { afterAll, beforeAll } from "vitest";
import WebSocket from "ws";
import { handlers } from "./broker.ts";

const server = setupServer(...handlers);

beforeAll(() => {
  // Node has a WebSocket of its own from version 22 on.
  globalThis.WebSocket ??= WebSocket as unknown as typeof globalThis.WebSocket;
  server.listen({ onUnhandledRequest: "error" });
});
afterAll(() => server.close());
