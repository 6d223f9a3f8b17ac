/**
 * What receives, as one module that is loaded when first needed: a page that only publishes does not pay for it.
 * Nothing here may be needed first while the connection is down.
 */
export { startConsumer } from "./consume.ts";
export { natsRequest } from "./request.ts";
