import type { OutboxRow } from "./store.ts";

/** A column without a value comes as null. */
export function withoutNull<Row extends OutboxRow>(row: Row): Row {
  const { key, destination, transport, context } = row;
  return {
    ...row,
    key: key ?? undefined,
    destination: destination ?? undefined,
    transport: transport ?? undefined,
    context: context ?? undefined,
  };
}
