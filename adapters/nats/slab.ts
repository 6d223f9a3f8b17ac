import type { HeaderBlock } from "./header-block.ts";

/** A message as bytes, ready for the client. */
export interface EncodedMessage {
  /** The header block; undefined for a message without headers. */
  readonly head: Uint8Array | undefined;
  readonly body: Uint8Array;
}

/** Turns header text and body into bytes. */
export interface Slab {
  encode(block: HeaderBlock, body: string | Uint8Array | null): EncodedMessage;
}

const EMPTY = new Uint8Array(0);
const DEFAULT_SLAB_BYTES = 64 * 1_024;

/**
 * Makes an encoder that writes header block and body behind one another into one large buffer, with one call of
 * `encodeInto`. A full buffer is replaced and never written again: the client and the outage buffer keep views on it.
 *
 * @param slabBytes Size of one buffer. Default: 65,536.
 */
export function createSlab(slabBytes: number = DEFAULT_SLAB_BYTES): Slab {
  const encoder = new TextEncoder();
  let slab = new Uint8Array(slabBytes);
  let used = 0;

  /** Room for `most` bytes; what does not fit half a slab gets a buffer of its own. */
  const reserve = (most: number): Uint8Array => {
    if (most > slabBytes >> 1) return new Uint8Array(most);
    if (used + most > slabBytes) {
      slab = new Uint8Array(slabBytes);
      used = 0;
    }
    return used === 0 ? slab : slab.subarray(used);
  };

  return {
    encode(block, body) {
      const { text } = block;
      if (typeof body === "string" && block.ascii) {
        // At most three bytes per UTF-16 unit.
        const most = text.length + body.length * 3;
        if (most <= slabBytes >> 1) {
          if (used + most > slabBytes) {
            slab = new Uint8Array(slabBytes);
            used = 0;
          }
          const start = used;
          const view = start === 0 ? slab : slab.subarray(start);
          const { written } = encoder.encodeInto(text + body, view);
          used = start + written;
          const split = start + text.length;
          return {
            head: text.length === 0 ? undefined : slab.subarray(start, split),
            body: slab.subarray(split, used),
          };
        }
      }
      const head = text.length === 0 ? undefined : encoder.encode(text);
      if (body === null) return { head, body: EMPTY };
      if (typeof body === "string") return { head, body: encoder.encode(body) };
      // The caller may write into its array again while the message still waits.
      const room = reserve(body.length);
      room.set(body);
      if (room.buffer === slab.buffer) used += body.length;
      return { head, body: room.subarray(0, body.length) };
    },
  };
}
