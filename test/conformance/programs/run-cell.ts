import { type CaseResult, type ConformanceFactory, conformanceCases, runCases } from "waybill/testing";

/** What a program is told. */
export interface CellOrder {
  readonly transport: string;
  readonly cases: "all" | "core";
  readonly concurrency: number;
  /** Only this case. */
  readonly only?: string | undefined;
  /** Where the brokers listen. */
  readonly nats: { readonly port: number; readonly websocketPort: number };
  readonly kafkaPort: number;
}

/** Runs the cases of an order, the results as they come. */
export async function* runCell(
  factory: ConformanceFactory,
  order: CellOrder,
): AsyncGenerator<CaseResult, void, undefined> {
  const chosen = conformanceCases.filter(
    ({ id, core }) => (order.cases === "all" || core) && (order.only === undefined || id === order.only),
  );
  // The capabilities are the transport's own word, asked from one that is open.
  const client = await factory.open();
  const { capabilities } = client.transport;
  yield* runCases(chosen, factory, capabilities, { concurrency: order.concurrency });
  await client.transport.close({ deadlineMs: 2_000 });
  await client.close?.();
}
