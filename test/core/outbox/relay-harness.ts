import { createEvent, type EventError } from "waybill";
import type { MemoryTransaction, OutboxDraft, OutboxRelay, OutboxRelayOptions, OutboxStore } from "waybill/outbox";
import { memoryOutbox } from "waybill/outbox";
import { type FakeClock, fakeClock } from "waybill/testing";
import type { Environment } from "../../../core/environment.ts";
import type { CloudEvent } from "../../../core/event.ts";
import type { ForwardOptions, Receipt } from "../../../core/options.ts";
import { startRelay } from "../../../core/outbox/relay.ts";
import { writeEvent } from "../../../core/outbox/write-row.ts";

/** What happens to an event that is sent: a receipt after so long, or an error. */
export type Send = (name: string, options: ForwardOptions) => Promise<void>;

/** A relay without a broker. */
export interface RelayHarness {
  readonly clock: FakeClock;
  readonly store: ReturnType<typeof memoryOutbox>;
  /** Names of what was sent, also when it failed. */
  readonly sent: string[];
  readonly errors: (readonly [code: string, event: string | undefined])[];
  /** Replaces what happens to an event; at first each is stored at once. */
  send: Send;
  add(...rows: readonly (readonly [name: string, key?: string])[]): Promise<void>;
  relay(options?: OutboxRelayOptions, store?: Pick<OutboxStore<never>, "lead">): OutboxRelay;
}

/** A row whose event is named `name`. */
export function rowOf(name: string, key?: string): OutboxDraft {
  const event = writeEvent(createEvent({ type: "t", source: "/s", id: name, data: { name } }));
  return { event, eventId: name, type: "t", key, destination: undefined, transport: undefined, context: undefined };
}

export async function addRows(
  { store }: { store: ReturnType<typeof memoryOutbox> },
  rows: readonly OutboxDraft[],
): Promise<void> {
  await store.transaction(async (transaction: MemoryTransaction) => {
    for (const row of rows) await store.add(transaction, row);
  });
}

export function relayHarness(clock = fakeClock()): RelayHarness {
  const store = memoryOutbox({ clock });
  const env = {
    clock,
    report: (error: EventError, { event }: { event?: CloudEvent }) => void harness.errors.push([error.code, event?.id]),
  } as unknown as Environment;
  const bus = {
    async forward(event: CloudEvent, options: ForwardOptions = {}): Promise<Receipt> {
      harness.sent.push(event.id);
      await harness.send(event.id, options);
      return { id: event.id, transport: "t", destination: "d", attempts: 1, stored: "broker" };
    },
  };
  const harness: RelayHarness = {
    clock,
    store,
    sent: [],
    errors: [],
    send: async () => undefined,
    add: (...rows) =>
      addRows(
        harness,
        rows.map(([name, key]) => rowOf(name, key)),
      ),
    relay: (options = {}, from = store) =>
      startRelay({ env, bus, store: from as Pick<OutboxStore<never>, "lead">, options, closed: () => undefined }),
  };
  return harness;
}
