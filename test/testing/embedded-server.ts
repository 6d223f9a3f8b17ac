import { startEmbeddedNats } from "../../testing/index.ts";
import type { StartServer } from "./client-cases.ts";

/** The embedded server as {@link StartServer}. */
export const startEmbedded: StartServer = async (options) => {
  const server = await startEmbeddedNats(options);
  return { port: server.port, websocketPort: server.websocketPort, stop: () => server.close() };
};
