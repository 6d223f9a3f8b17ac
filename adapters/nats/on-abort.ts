import { EventError } from "../../core/errors.ts";

/** Calls `give` with the error of an abort, at once if it has happened. Returns what ends the listening. */
export function onAbort(signal: AbortSignal | undefined, give: (error: EventError) => void): () => void {
  const abort = (): void => give(EventError.from(signal!.reason, "aborted"));
  if (signal?.aborted) abort();
  else signal?.addEventListener("abort", abort);
  return () => signal?.removeEventListener("abort", abort);
}
