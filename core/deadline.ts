import type { Clock } from "./clock.ts";
import { EventError } from "./errors.ts";
import type { WaitOptions } from "./options.ts";

/** A signal that aborts when the caller gives up or the time is over. */
export interface Deadline {
  /** Its reason is an EventError: `aborted` or `timeout`. */
  readonly signal: AbortSignal;
  /** Ends the timer and the listening. */
  stop(): void;
}

/** The deadline of a call, or undefined when it has none: the usual call pays nothing. */
export function deadline(clock: Clock, { signal, timeoutMs }: WaitOptions): Deadline | undefined {
  if (!signal && timeoutMs === undefined) return undefined;
  const controller = new AbortController();
  const onAbort = (): void => {
    controller.abort(new EventError("aborted", "given up", { cause: signal?.reason }));
  };
  const timer =
    timeoutMs === undefined
      ? undefined
      : clock.after(timeoutMs, () =>
          controller.abort(new EventError("timeout", `no answer within ${timeoutMs} ms`, { retryable: true })),
        );
  const stop = (): void => {
    timer?.cancel();
    signal?.removeEventListener("abort", onAbort);
  };
  if (signal?.aborted) onAbort();
  else signal?.addEventListener("abort", onAbort, { once: true });
  return { signal: controller.signal, stop };
}

/** Waits for `work`, but no longer than `deadlineMs`. */
export async function withinDeadline(clock: Clock, deadlineMs: number, work: Promise<unknown>): Promise<void> {
  let cancel = (): void => {};
  const over = new Promise<void>((resolve) => {
    const timer = clock.after(deadlineMs, resolve);
    cancel = () => timer.cancel();
  });
  await Promise.race([work, over]);
  cancel();
}
