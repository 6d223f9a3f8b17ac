import { describe, expect, test } from "vitest";
import { natsTransport } from "../../../adapters/nats/index.ts";
import { FakeConnection } from "./fake-connection.ts";

describe("natsTransport", () => {
  test.each([
    ["buffer.maxEvents", { buffer: { maxEvents: 0 } }],
    ["buffer.maxBytes", { buffer: { maxBytes: 1.5 } }],
    ["buffer.maxAgeMs", { buffer: { maxAgeMs: Number.NaN } }],
    ["buffer.stallMs", { buffer: { stallMs: -1 } }],
    ["hold.maxMessages", { hold: { maxMessages: 0 } }],
    ["hold.maxBytes", { hold: { maxBytes: Number.POSITIVE_INFINITY } }],
  ])("refuses a %s that is no whole number above 0", (name, options) => {
    const make = (): unknown => natsTransport({ connection: new FakeConnection(), ...options });
    expect(make).toThrowError(
      expect.objectContaining({ code: "invalid-option", message: expect.stringContaining(name) }),
    );
  });

  test("says what core NATS can and cannot do", () => {
    const connection = new FakeConnection();
    const { name, capabilities } = natsTransport({ connection });
    expect(name).toBe("nats");
    expect(capabilities).toEqual({
      system: "nats",
      binding: { prefix: "ce-", contentType: "ce-datacontenttype", percentEncoded: true },
      groups: true,
      request: true,
      wildcards: true,
      maxMessageBytes: 1_000,
    });
    connection.info = { max_payload: 5 };
    expect(capabilities.maxMessageBytes).toBe(5);
    connection.info = undefined;
    expect(capabilities.maxMessageBytes).toBe(5);
  });
});
