const legal = /^(?!0+-)[0-9a-f]{32}-(?!0+$)[0-9a-f]{16}$/;

/** Whether both are lower-case hex of their length and neither is all zero, as Go writes them without an SDK. */
export function legalIds(traceId: unknown, spanId: unknown): boolean {
  return typeof traceId === "string" && typeof spanId === "string" && legal.test(`${traceId}-${spanId}`);
}
