/**
 * What reads, provides topics and stores in transactions, as one module that is loaded when first needed: who publishes
 * and consumes does not pay for it.
 */
export { ensureTopic } from "./ensure-topic.ts";
export { readStored } from "./read.ts";
export { openTransactions } from "./transactions.ts";
