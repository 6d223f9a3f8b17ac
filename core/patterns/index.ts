/**
 * Patterns built on the bus.
 *
 * @module
 */
export { type Bridge, type BridgeOptions, type BridgeSource, type BridgeTarget, createBridge } from "./bridge.ts";
