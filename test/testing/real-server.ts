import { startNatsServer } from "../support/nats-server.ts";
import type { StartServer } from "./client-cases.ts";

/** A real nats-server as {@link StartServer}: it holds the embedded one to its word. */
export const startReal: StartServer = ({ maxPayloadBytes, token }) =>
  startNatsServer({
    config: [
      maxPayloadBytes === undefined ? "" : `max_payload: ${maxPayloadBytes}`,
      token === undefined ? "" : `authorization { token: ${JSON.stringify(token)} }`,
    ].join("\n"),
  });
