import type { Control } from "./control.ts";

const outbox = "test/core/outbox/outbox.test.ts";
const relay = "test/core/outbox/relay.test.ts";
const model = "test/core/outbox/relay-model.test.ts";
const memory = "test/core/outbox/memory-outbox.test.ts";

/** The guards of the outbox and its relay. */
export const outboxControls: readonly Control[] = [
  {
    id: "outbox.validate",
    guard: "data that does not fit its schema is not written",
    file: "core/outbox/create-outbox.ts",
    from: "if (definition) await validate(definition.schema, data, type);",
    to: "",
    tests: [outbox],
  },
  {
    id: "outbox.size",
    guard: "what no relay could publish is refused in the transaction",
    file: "core/outbox/create-outbox.ts",
    from: "if (bytes > most) throw",
    to: "if (false as boolean) throw",
    tests: [outbox],
  },
  {
    id: "outbox.context",
    guard: "the relay publishes in the context of who added the event",
    file: "core/outbox/relay.ts",
    from: "const context = readContext(env, row.context);",
    to: "const context = readContext(env, undefined);",
    tests: [outbox],
  },
  {
    id: "outbox.after-receipt",
    guard: "an event of a key is sent after the receipt of the one before",
    file: "core/outbox/relay-rows.ts",
    from: "if (behind) behind.push(row);",
    to: "if (behind) void this.#send(row);",
    tests: [relay, model],
  },
  {
    id: "outbox.failure-holds-key",
    guard: "what follows a failed row of its key is not sent before it",
    file: "core/outbox/relay-rows.ts",
    from: "      if (key !== undefined) this.#dropBehind(key);\n",
    to: "",
    tests: [relay, model],
  },
  {
    id: "outbox.sent-after-receipt",
    guard: "a row is marked once its event is stored, and not before",
    file: "core/outbox/relay-rows.ts",
    from: "      await this.#publish(row);\n      this.#stored.add(id);",
    to: "      this.#stored.add(id);\n      await this.#publish(row);",
    tests: [relay, model],
  },
  {
    id: "outbox.busy-keys",
    guard: "of a key whose rows are on their way no others are taken",
    file: "core/outbox/relay.ts",
    from: "busyKeys: rows.keys() }",
    to: "busyKeys: [] }",
    tests: [relay, model],
  },
  {
    id: "outbox.lost-right",
    guard: "a relay that lost its right to publish starts nothing more",
    file: "core/outbox/relay.ts",
    from: "        storeFails = true;\n        rows.drop();",
    to: "        storeFails = true;",
    tests: [relay, model],
  },
  {
    id: "outbox.postponed-holds",
    guard: "a row that is put off holds back the later ones of its key",
    file: "core/outbox/memory-outbox.ts",
    from: "if (!ready || before === rowsPerKey) closed.add(key);",
    to: "if (before === rowsPerKey) closed.add(key); if (!ready) continue;",
    tests: [memory, model],
  },
  {
    id: "outbox.outage-is-no-poison",
    guard: "what may pass never gives a row up",
    file: "core/outbox/relay.ts",
    from: "const refused = !error.retryable && !notOfEvent.has(error.code);",
    to: "const refused = true;",
    tests: [relay, model],
  },
  {
    id: "outbox.closed-is-no-poison",
    guard: "a closed bus gives no row up",
    file: "core/outbox/relay.ts",
    from: "const refused = !error.retryable && !notOfEvent.has(error.code);",
    to: "const refused = !error.retryable;",
    tests: [relay],
  },
  {
    id: "outbox.poison-is-given-up",
    guard: "a row that can never be published is given up after its attempts",
    file: "core/outbox/relay.ts",
    from: "const over = refused && row.refusals + 1 >= attempts;",
    to: "const over = false as boolean;",
    tests: [relay],
  },
  {
    id: "outbox.commit-only",
    guard: "a row exists once its transaction is committed",
    file: "core/outbox/memory-outbox.ts",
    from: "      } finally {\n        added = undefined;",
    to: '      } catch (reason) {\n        for (const draft of added ?? []) rows.push({ ...draft, id: String(++ids), status: "pending", attempts: 0, refusals: 0, error: "", atMs: 0, dueMs: 0 });\n        throw reason;\n      } finally {\n        added = undefined;',
    tests: [memory, model],
  },
  {
    id: "outbox.close-waits",
    guard: "a relay that closes waits for what is on its way",
    file: "core/outbox/relay.ts",
    from: "(!stopping || (lead && rows.size > 0))",
    to: "!stopping",
    tests: [relay],
  },
];
