/**
 * Effects once, with a database: an outbox whose events are published if and only if their transaction was committed,
 * and an inbox that commits an effect together with the mark of its event.
 *
 * @module
 */
export {
  createOutbox,
  type Outbox,
  type OutboxAddOptions,
  type OutboxOptions,
} from "./create-outbox.ts";
export { type MemoryOutbox, type MemoryOutboxOptions, type MemoryTransaction, memoryOutbox } from "./memory-outbox.ts";
export type { PostgresClient, PostgresPool, PostgresQueryable } from "./postgres.ts";
export { type PostgresInbox, type PostgresInboxOptions, postgresInbox, postgresInboxDdl } from "./postgres-inbox.ts";
export {
  type PostgresOutbox,
  type PostgresOutboxOptions,
  postgresOutbox,
  postgresOutboxDdl,
} from "./postgres-outbox.ts";
export type { OutboxRelay, OutboxRelayOptions, RelayReport } from "./relay.ts";
export type {
  FailedEvent,
  FailedRow,
  OutboxDraft,
  OutboxLead,
  OutboxRow,
  OutboxStats,
  OutboxStore,
  TakeOptions,
} from "./store.ts";
