import type { Control } from "./control.ts";

const tests = ["test/core/outbox/postgres-inbox.test.ts"];

/** The guards of the inbox that need no database. */
export const inboxControls: readonly Control[] = [
  {
    id: "inbox.lent",
    guard: "a handler that goes on after its transaction has ended is refused",
    file: "core/outbox/lend-client.ts",
    from: "if (over) throw",
    to: "if (false as boolean) throw",
    tests,
  },
  {
    id: "inbox.ends-before-rollback",
    guard: "the transaction ends for a handler before its rollback is sent",
    file: "core/outbox/postgres-inbox.ts",
    from: "      lent.end();",
    to: "      setTimeout(lent.end, 0);",
    tests,
  },
];
