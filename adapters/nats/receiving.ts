/**
 * What receives, as one module that is loaded when first needed: a page that only publishes does not pay for it.
 * A page may have no network when it is first needed, so nothing here serves the outage buffer.
 */
export { startConsumer } from "./consume.ts";
export { natsRequest } from "./request.ts";
