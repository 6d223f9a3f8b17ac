// What browsers, workers, Deno, Bun and Node share and core may use. Only core's own tsconfig includes this file:
// elsewhere the types of the DOM and of Node describe the same names.
declare global {
  interface AbortSignal {
    readonly aborted: boolean;
    readonly reason: unknown;
    addEventListener(type: "abort", listener: () => void, options?: { once?: boolean }): void;
    removeEventListener(type: "abort", listener: () => void): void;
  }
  class AbortController {
    readonly signal: AbortSignal;
    abort(reason?: unknown): void;
  }
  class TextEncoder {
    encode(text: string): Uint8Array<ArrayBuffer>;
    encodeInto(text: string, target: Uint8Array): { read: number; written: number };
  }
  class TextDecoder {
    constructor(label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean });
    decode(bytes?: Uint8Array): string;
  }
  const crypto: { getRandomValues<T extends Uint8Array>(target: T): T };
  function atob(text: string): string;
  function btoa(text: string): string;
  function setTimeout(run: () => void, delayMs: number): unknown;
  function clearTimeout(id: unknown): void;
  function queueMicrotask(run: () => void): void;
}

export {};
