import type { Control } from "./control.ts";

const claims = "test/core/delivery/idempotency.test.ts";

/** The guards of stores of claims. */
export const idempotencyControls: readonly Control[] = [
  {
    id: "idempotency.lease",
    guard: "a key that is held is not claimed again",
    file: "core/delivery/claims.ts",
    from: "if (record && leftMs > 0) {",
    to: "if (record?.done && leftMs > 0) {",
    tests: [claims],
  },
  {
    id: "idempotency.done",
    guard: "a key that is done is not claimed again",
    file: "core/delivery/claims.ts",
    from: "if (record && leftMs > 0) {",
    to: "if (record && !record.done && leftMs > 0) {",
    tests: [claims],
  },
  {
    id: "idempotency.fenced-commit",
    guard: "who lost a key cannot commit it",
    file: "core/delivery/claims.ts",
    from: "        // Also when its lease is over: nobody else has taken the key.\n        if (record?.token !== token)",
    to: "        if (!record)",
    tests: [claims],
  },
  {
    id: "idempotency.own-release",
    guard: "another's claim cannot be released",
    file: "core/delivery/claims.ts",
    from: "record?.token === token && !record.done ? {",
    to: "record && !record.done ? {",
    tests: [claims],
  },
  {
    id: "idempotency.compare-before-write",
    guard: "a claim is written only over what was read",
    file: "core/delivery/state-idempotency.ts",
    from: "entry?.revision ?? 0)) !== undefined) return answer;",
    to: "(await store.get(name))?.revision ?? 0)) !== undefined) return answer;",
    tests: [claims],
  },
  {
    id: "idempotency.surrogates",
    guard: "keys that differ in lone surrogates alone are different",
    file: "core/delivery/key-digest.ts",
    from: "encode(JSON.stringify(key))",
    to: "encode(key)",
    tests: [claims],
  },
  {
    id: "idempotency.held-stay",
    guard: "a claim that holds is never forgotten for want of room",
    file: "adapters/memory/idempotency.ts",
    from: "first && isCrowded() && isOver(first, now)",
    to: "first && isCrowded()",
    tests: [claims],
  },
];
