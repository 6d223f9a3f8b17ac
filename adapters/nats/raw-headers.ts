/** Where every known client keeps a received message. Not part of its public interface: each step may be missing. */
interface Innards {
  readonly _rdata?: unknown;
  readonly _msg?: { readonly hdr?: unknown };
}

/**
 * The header block of a received message as it came, or undefined. The clients' own parsing looks at every header
 * again for each that it adds, which costs more than everything else that is done to receive a message.
 */
export function rawHeaders(message: object): Uint8Array | undefined {
  const { _rdata: bytes, _msg: { hdr: length } = {} } = message as Innards;
  if (!(bytes instanceof Uint8Array) || typeof length !== "number" || length <= 0) return undefined;
  return bytes.subarray(0, length);
}
