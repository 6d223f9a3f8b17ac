import type { Control } from "./control.ts";

/**
 * A control of the controls: it turns nothing off, so that its tests still pass, and `npm run controls` has to say so
 * and fail. It runs only when it is asked for by name.
 */
export const metaControl: Control = {
  id: "meta.comment",
  guard: "none: a comment has another word",
  file: "adapters/memory/log.ts",
  from: "/** A message as the log keeps it. */",
  to: "/** A message as the log holds it. */",
  tests: ["test/adapters/memory/log.test.ts"],
  title: "answers for each message where it stands",
};
