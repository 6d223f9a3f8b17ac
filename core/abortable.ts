/** Waits for `work` until the signal aborts; then `abandoned` is called and its reason thrown. */
export async function abortable<T>(
  work: Promise<T>,
  signal: AbortSignal | undefined,
  abandoned: () => void,
): Promise<T> {
  if (!signal) return work;
  let onAbort = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => {
      abandoned();
      reject(signal.reason);
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort);
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
