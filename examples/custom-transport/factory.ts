import type { ConformanceFactory } from "waybill/testing";
import { broadcastChannelTransport } from "./broadcast-channel-transport.ts";

/** How the conformance suite gets at the transport: every client is one more end of the same channel. */
export const factory: ConformanceFactory = {
  open: () => ({ transport: broadcastChannelTransport("conformance") }),
};

/** What decides which cases apply, known before anything is opened. */
export const capabilities = (() => {
  const transport = broadcastChannelTransport("asked-once");
  void transport.close();
  return transport.capabilities;
})();
