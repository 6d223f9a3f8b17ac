/** Waits by the host's clock: what waits on a client library has no other. */
export const rest = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
