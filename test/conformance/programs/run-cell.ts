import {
  type CaseResult,
  type ConformanceCase,
  type ConformanceFactory,
  conformanceCases,
  runCases,
} from "waybill/testing";

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

const chosenBy = ({ cases, only }: Pick<CellOrder, "cases" | "only">): readonly ConformanceCase[] =>
  conformanceCases.filter(({ id, core }) => (cases === "all" || core) && (only === undefined || id === only));

/** The cases that a cell has to tell the result of. */
export const idsOf = ({ cases }: Pick<CellOrder, "cases">, only?: string): readonly string[] =>
  chosenBy({ cases, only }).map(({ id }) => id);

/** Runs the cases of an order, the results as they come. */
export async function* runCell(
  factory: ConformanceFactory,
  order: CellOrder,
): AsyncGenerator<CaseResult, void, undefined> {
  // The capabilities are the transport's own word, asked from one that is open.
  const client = await factory.open();
  const { capabilities } = client.transport;
  yield* runCases(chosenBy(order), factory, capabilities, { concurrency: order.concurrency });
  await client.transport.close({ deadlineMs: 2_000 });
  await client.close?.();
}
