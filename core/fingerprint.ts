/**
 * 128 bits of a text, as 28 characters of base 36: four 32-bit hashes that each see every character. For names that two
 * sides have to work out alike; it protects against nobody who means harm.
 */
export function fingerprint(text: string): string {
  const state = new Uint32Array([0x9e3779b9, 0x243f6a88, 0xb7e15162, 0x85ebca6b]);
  let [a, b, c, d] = state as unknown as [number, number, number, number];
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    a = b ^ Math.imul(a ^ unit, 597399067);
    b = c ^ Math.imul(b ^ unit, 2869860233);
    c = d ^ Math.imul(c ^ unit, 951274213);
    d = a ^ Math.imul(d ^ unit, 2716044179);
  }
  // So that the last characters reach every bit.
  a = Math.imul(c ^ (a >>> 18), 597399067);
  b = Math.imul(d ^ (b >>> 22), 2869860233);
  c = Math.imul(a ^ (c >>> 17), 951274213);
  d = Math.imul(b ^ (d >>> 19), 2716044179);
  state.set([a ^ b ^ c ^ d, b ^ a, c ^ a, d ^ a]);
  return Array.from(state, (part) => part.toString(36).padStart(7, "0")).join("");
}
