import type { ConformanceFactory } from "waybill/testing";
import { broadcastChannelTransport } from "./broadcast-channel-transport.ts";

/** How the conformance suite gets at the transport: every client is one more end of the same channel. */
export const factory: ConformanceFactory = {
  open: () => ({ transport: broadcastChannelTransport("conformance") }),
};
