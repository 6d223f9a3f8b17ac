/**
 * What consumes, reads and provides streams, as one module that is loaded when first needed: a page that only publishes
 * does not pay for it.
 */
export { startConsuming } from "./consume.ts";
export { ensureDeadLetters } from "./ensure-dead-letters.ts";
export { ensureStream } from "./ensure-stream.ts";
export { readStored } from "./read.ts";
export { openState } from "./state.ts";
