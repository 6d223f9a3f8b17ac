import type { OutgoingMessage } from "../../core/message.ts";
import { headerBlock } from "./header-block.ts";
import type { Entry } from "./outbox.ts";

/** Turns messages into entries of the outage buffer. */
export type Encoder = (message: OutgoingMessage, settled?: Entry["settled"]) => Entry;

/**
 * Makes an encoder that writes header block and body behind one another into one large buffer, with one call of
 * `encodeInto`. A full buffer is replaced and never written again: the client and the outage buffer keep views on it.
 *
 * @param slabBytes Size of one buffer. Default: 65,536.
 */
export function createEncoder(slabBytes = 65_536): Encoder {
  const encoder = new TextEncoder();
  let slab = new Uint8Array(0);
  let used = 0;

  return ({ destination, headers, body }, settled) => {
    const block = headerBlock(headers);
    const text = typeof body === "string" ? block + body : block;
    // At most three bytes per UTF-16 unit.
    const most = text.length * 3;
    let target = slab;
    let start = used;
    let end: number;
    if (most > slabBytes / 2) {
      // What does not fit half a slab gets a buffer of its own.
      target = encoder.encode(text);
      start = 0;
      end = target.length;
    } else {
      if (start + most > slab.length) {
        target = slab = new Uint8Array(slabBytes);
        start = 0;
      }
      end = used = start + encoder.encodeInto(text, view(target, start)).written;
    }
    // As many bytes as characters: all is ASCII.
    const split = start + (end - start === text.length ? block.length : encoder.encode(block).length);
    // The caller may write into its array again while the message still waits.
    const content = body === null || typeof body === "string" ? view(target, split, end) : new Uint8Array(body);
    return {
      subject: destination,
      head: block ? view(target, start, split) : undefined,
      body: content,
      bytes: split - start + content.length,
      atMs: 0,
      written: false,
      done: false,
      settled,
    };
  };
}

/** `subarray` at half its cost: that asks for the constructor of a subclass first. */
function view(of: Uint8Array<ArrayBuffer>, start: number, end = of.length): Uint8Array<ArrayBuffer> {
  return new Uint8Array(of.buffer, of.byteOffset + start, end - start);
}
