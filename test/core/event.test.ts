import { describe, expect, test } from "vitest";
import { createEvent, EventError, type EventInit } from "waybill";
import { fakeClock } from "waybill/testing";

const event = (init: Record<string, unknown> = {}) =>
  createEvent({ type: "t", source: "/s", ...init } as EventInit, { clock: fakeClock(), ids: () => "id-1" });

describe("createEvent", () => {
  test("fills in id and time, and leaves out what is not given", () => {
    expect({ ...event({ data: 1 }) }).toEqual({
      type: "t",
      source: "/s",
      id: "id-1",
      time: "2026-01-01T00:00:00.000Z",
      data: 1,
      extensions: {},
    });
    expect(Object.keys(event({ subject: undefined }))).not.toContain("subject");
    expect(createEvent({ type: "t", source: "/s" }).id).toMatch(/^[0-9a-f-]{36}$/);
  });
  test("keeps what is given, the time to the last digit", () => {
    const given = {
      id: "7",
      time: "2026-01-02T03:04:05.123456789+01:00",
      subject: "s",
      datacontenttype: "text/plain",
      dataschema: "https://s",
      data: "x",
      extensions: { a: "", b: -2_147_483_648, c: false },
    };
    expect(event(given)).toMatchObject(given);
  });
  test("makes a frozen value with extensions of its own", () => {
    const extensions = { a: "1" };
    const made = event({ extensions });
    extensions.a = "2";
    expect(made.extensions.a).toBe("1");
    expect(Object.isFrozen(made) && Object.isFrozen(made.extensions)).toBe(true);
    expect(() => Object.assign(made, { id: "2" })).toThrow(TypeError);
  });
  test("has extensions without prototype", () => {
    const { extensions } = event({ extensions: { constructor: "x" } });
    expect(extensions.constructor).toBe("x");
    expect(Object.getPrototypeOf(extensions)).toBeNull();
    expect(event().extensions.constructor).toBeUndefined();
  });
});

describe("an event is refused for", () => {
  test.each<[string, Record<string, unknown>]>([
    ["an empty id", { id: "" }],
    ["an empty source", { source: "" }],
    ["an empty type", { type: "" }],
    ["an empty subject", { subject: "" }],
    ["an empty dataschema", { dataschema: "" }],
    ["an empty datacontenttype", { datacontenttype: "" }],
    ["a type that is no text", { type: 1 }],
    ["a null id", { id: null }],
    ["a line feed", { subject: "a\nb" }],
    ["a control character of Latin 1", { subject: "a\u0085" }],
    ["a lone surrogate", { subject: "\ud800" }],
    ["a noncharacter", { subject: "\uffff" }],
    ["a noncharacter beyond the first plane", { subject: "\u{1fffe}" }],
    ["a date without time", { time: "2026-01-02" }],
    ["a time without zone", { time: "2026-01-02T03:04:05" }],
    ["a time in words", { time: "now" }],
  ])("%s", (_, init) => {
    expect(() => event(init)).toThrow(expect.objectContaining({ code: "invalid-event" }));
  });
  test.each<[string, Record<string, unknown>]>([
    ["in upper case", { Key: "x" }],
    ["with a dash", { "a-b": "x" }],
    ["with an underscore", { a_b: "x" }],
    ["of no characters", { "": "x" }],
    ["beyond ASCII", { é: "x" }],
    ["of the prototype", JSON.parse('{"__proto__":"x"}')],
    ...["id", "source", "type", "specversion", "data", "time", "subject", "dataschema", "datacontenttype"].map(
      (name): [string, Record<string, unknown>] => [`of the attribute ${name}`, { [name]: "x" }],
    ),
  ])("an extension name %s", (_, extensions) => {
    expect(() => event({ extensions })).toThrow(expect.objectContaining({ code: "invalid-event" }));
  });
  test.each([null, undefined, {}, [], 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, 1n, Symbol("s"), "a\0"])(
    "an extension value %s",
    (value) => {
      expect(() => event({ extensions: { a: value } })).toThrow(expect.objectContaining({ code: "invalid-event" }));
    },
  );
});

test("the complaint names the attribute and not its value's tail", () => {
  const failure = (() => {
    try {
      return event({ time: `x${"y".repeat(500)}` });
    } catch (error) {
      return error;
    }
  })();
  expect(failure).toBeInstanceOf(EventError);
  expect((failure as EventError).message).toMatch(/^time /);
  expect((failure as EventError).message.length).toBeLessThan(150);
});
