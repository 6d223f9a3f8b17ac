import { connect } from "@nats-io/transport-node";
import { EventError, type Transport } from "waybill";
import type { RedriveReport } from "waybill/dead-letter";
import { jetstreamTransport } from "waybill/jetstream";
import { kafkaTransport } from "waybill/kafka";
import { confluentDriver } from "waybill/kafka/confluent";
import { type GivenUp, letterFacts, letterHeaders } from "../../core/delivery/letter.ts";
import type { HeaderCarrier, OutgoingMessage } from "../../core/message.ts";
import type { Delivery } from "../../core/transport.ts";

/** A broker that runs: the port of a nats-server, or the address of a Kafka. */
export type Place =
  | { readonly broker: "jetstream"; readonly port: number }
  | { readonly broker: "kafka"; readonly brokers: string };

/** What the process of a redrive is told. */
export interface RunnerSettings {
  readonly place: Place;
  readonly destination: string;
  /** How many there are. */
  readonly letters: number;
  /** Copies per second. */
  readonly rate?: number | undefined;
  /** It is killed so long after it has told of so many copies. */
  readonly killAt?: { readonly copies: number; readonly delayMs: number } | undefined;
}

/** What it says. */
export type RunnerLine =
  | { readonly redriven: number; readonly atMs: number }
  | { readonly part: number; readonly heapBytes: number }
  | { readonly report: RedriveReport };

/** Opens a transport of its own. */
export async function openTransport(
  place: Place,
): Promise<{ readonly transport: Transport; close(): Promise<unknown> }> {
  if (place.broker === "kafka") {
    const transport = kafkaTransport({ driver: confluentDriver({ brokers: place.brokers }) });
    return { transport, close: () => transport.close() };
  }
  const connection = await connect({ servers: `127.0.0.1:${place.port}` });
  const transport = jetstreamTransport({ connection, streams: [{ name: "ORDERS", subjects: ["orders.>"] }] });
  return { transport, close: () => transport.close().then(() => connection.close()) };
}

function carrierOf(entries: readonly string[]): HeaderCarrier {
  const all = (name: string): string[] => entries.filter((_, at) => at % 2 === 1 && entries[at - 1] === name);
  const keys = (): string[] => entries.filter((_, at) => at % 2 === 0);
  return { get: (name) => all(name)[0], getAll: all, set: () => undefined, keys, entries: () => entries };
}

/** A letter as a subscription stores it whose handler has failed three times. */
export function letterOf({ capabilities }: Transport, destination: string, letters: string, n: number) {
  const { prefix, contentType } = capabilities.binding;
  const headers = carrierOf([
    ...[`${prefix}specversion`, "1.0", `${prefix}id`, `e-${n}`, `${prefix}source`, "/shop"],
    ...[`${prefix}type`, "order.placed", contentType, "application/json"],
  ]);
  const body = new TextEncoder().encode(JSON.stringify({ n, text: "x".repeat(100) }));
  const message = { destination, headers, body, key: undefined, timestampMs: 1_790_000_000_000 + n };
  const failure = new EventError("handler-failed", "the ledger is closed", { cause: new RangeError("closed") });
  const record = { count: 3, firstMs: 1, lastMs: 2, code: failure.code, message: failure.message, crashes: 0 };
  const given: GivenUp = {
    delivery: { message, lane: "lane", position: String(n + 1) } as Partial<Delivery> as Delivery,
    ...{ transport: "main", group: "billing", reason: "attempts-exhausted", failure, record, nowMs: 2 },
  };
  const facts = letterFacts(given, undefined);
  const letter: OutgoingMessage = {
    ...{ destination: letters, headers: letterHeaders(message, facts, false), body, key: undefined },
    dedupId: `dlq:${facts.id}`,
  };
  return { id: facts.id, letter };
}
