import { context } from "@opentelemetry/api";

/**
 * A function that runs in the context of now whenever it is called: after a promise, or when another event makes room.
 * A browser's context manager does not follow promises, and any may be in another's context by then.
 */
export function keepContext<Given extends unknown[], Result>(run: (...given: Given) => Result): typeof run {
  return context.bind(context.active(), run);
}
