import { MsgHdrsImpl } from "@nats-io/nats-core/internal";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { createEncoder } from "../../../adapters/nats/encoder.ts";
import { headerBlock } from "../../../adapters/nats/header-block.ts";

const names = fc.stringMatching(/^[!-9;-~]{1,20}$/);
const values = fc.string({ unit: "binary" }).filter((value) => !/[\r\n\0]/.test(value));
const bodies = fc.oneof(fc.string({ unit: "binary" }), fc.uint8Array({ maxLength: 300 }), fc.constant(null));
const encoder = new TextEncoder();

describe("headerBlock", () => {
  test("is what the client itself would write", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(names, values), { minLength: 1 }), (entries) => {
        const text = headerBlock(entries.flat());
        const lines = entries.map(([name, value]) => `${name}: ${value}\r\n`);
        expect(text).toBe(`NATS/1.0\r\n${lines.join("")}\r\n`);
        const names = new Set(MsgHdrsImpl.decode(encoder.encode(text)).keys());
        expect(names).toEqual(new Set(entries.map(([name]) => name)));
      }),
    );
  });

  test.each([
    ["", "v"],
    ["a b", "v"],
    ["a:", "v"],
    ["a\r\nb", "v"],
    ["\u0000", "v"],
    ["ü", "v"],
    ["a", "\r"],
    ["a", "x\ny"],
    ["a", "x\u0000"],
    ["a", "ü\r\nNats-Msg-Id: 1"],
  ])("refuses %j: %j, also after the same name was fine", (name, value) => {
    if (name === "a") headerBlock(["a", "fine"]);
    expect(() => headerBlock([name, value])).toThrowError(expect.objectContaining({ code: "invalid-header" }));
  });

  test("refuses control characters in values given as bytes", () => {
    expect(headerBlock(["a", encoder.encode("x")])).toBe("NATS/1.0\r\na: x\r\n\r\n");
    expect(() => headerBlock(["a", encoder.encode("x\r\nb: c")])).toThrowError(/CR, LF or NUL/);
  });

  test("stays right when names outnumber what it remembers", () => {
    for (let n = 0; n < 3_000; n++) expect(headerBlock([`n${n}`, "v"])).toBe(`NATS/1.0\r\nn${n}: v\r\n\r\n`);
  });
});

describe("createEncoder", () => {
  test("encodes header and body exactly, and never touches earlier messages again", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.array(fc.tuple(names, values), { maxLength: 3 }), bodies), { maxLength: 30 }),
        (messages) => {
          const encode = createEncoder(256);
          const made = messages.map(([entries, body]) => {
            const headers = entries.flat();
            const expected = [headerBlock(headers), typeof body === "string" ? body : (body?.slice() ?? "")];
            return { expected, encoded: encode({ destination: "a", headers, body }), body };
          });
          for (const { body } of made) if (body instanceof Uint8Array) body.fill(99);
          for (const { expected, encoded } of made) {
            const [text, body] = expected.map((part) => (typeof part === "string" ? encoder.encode(part) : part));
            expect(encoded.head ?? new Uint8Array(0)).toEqual(text);
            expect(encoded.body).toEqual(body);
            expect(encoded.bytes).toBe(text!.length + body!.length);
          }
        },
      ),
    );
  });

  test("encodes what a runtime puts anywhere in a larger buffer", () => {
    // A FAKE of an encoder that takes its memory from a pool.
    class Pooled extends TextEncoder {
      override encode(text: string): Uint8Array<ArrayBuffer> {
        const bytes = super.encode(text);
        const pool = new Uint8Array(bytes.length + 20);
        pool.set(bytes, 7);
        return pool.subarray(7, 7 + bytes.length);
      }
    }
    vi.stubGlobal("TextEncoder", Pooled);
    const { head, body } = createEncoder(16)({ destination: "a", headers: ["n", "ü"], body: "twenty bytes or more" });
    vi.unstubAllGlobals();
    const text = new TextDecoder();
    expect(text.decode(head)).toBe("NATS/1.0\r\nn: ü\r\n\r\n");
    expect(text.decode(body)).toBe("twenty bytes or more");
  });
});
