import { headers as natsCoreHeaders } from "@nats-io/nats-core";
import { headers as natsWsHeaders } from "nats.ws";
import { describe, expect, test } from "vitest";
import { natsHeaders } from "../../../adapters/nats/index.ts";

describe.each([
  ["@nats-io/nats-core", natsCoreHeaders],
  ["nats.ws", natsWsHeaders],
])("natsHeaders over %s", (_, make) => {
  test("reads without regard to case and keeps every value and the original names", () => {
    const headers = make();
    headers.append("TraceParent", "one");
    headers.append("traceparent", "two");
    headers.append("X", "1");
    headers.append("X", "2");
    const carrier = natsHeaders({ headers });
    expect(carrier.get("TRACEPARENT")).toBe("one");
    expect(carrier.getAll("traceparent")).toEqual(["one", "two"]);
    expect(carrier.getAll("x")).toEqual(["1", "2"]);
    expect(carrier.keys()).toEqual(["TraceParent", "X"]);
    expect(carrier.get("missing")).toBeUndefined();
    expect(carrier.getAll("missing")).toEqual([]);
  });

  test("replaces all values of a name, and the message keeps its own", () => {
    const headers = make();
    headers.append("X", "1");
    headers.append("X", "2");
    const carrier = natsHeaders({ headers });
    carrier.set("x", "3");
    expect(carrier.getAll("X")).toEqual(["3"]);
    expect(carrier.keys()).toEqual(["x"]);
    expect(headers.values("X")).toEqual(["1", "2"]);
  });

  test("treats __proto__ as a name like any other", () => {
    const headers = make();
    headers.append("__proto__", "evil");
    const carrier = natsHeaders({ headers });
    expect(carrier.get("__proto__")).toBe("evil");
    expect(carrier.get("constructor")).toBeUndefined();
    expect(carrier.keys()).toEqual(["__proto__"]);
    expect(Object.hasOwn(Object.prototype, "evil")).toBe(false);
  });
});

describe("natsHeaders", () => {
  test("reads a message without headers, or with headers the client cannot parse, as one without any", () => {
    expect(natsHeaders({}).keys()).toEqual([]);
    const hostile = {
      get headers(): never {
        throw new Error("illegal header name");
      },
    };
    expect(natsHeaders(hostile).get("a")).toBeUndefined();
  });
});

describe("natsHeaders of a message as a client received it", () => {
  /** A message with the clients' own fields, whose public headers must not be needed. */
  const received = (block: string): { headers: never } => {
    const bytes = new TextEncoder().encode(block);
    const message = { _rdata: bytes, _msg: { hdr: bytes.length } };
    return Object.defineProperty(message, "headers", {
      get: () => {
        throw new Error("parsed by the client");
      },
    }) as unknown as { headers: never };
  };

  test("reads the block: order, cases, spaces, colons, UTF-8, repeats, nothing", () => {
    for (let time = 0; time < 2; time++) {
      const carrier = natsHeaders(
        received("NATS/1.0\r\nCe-Id:1\r\nX:  a: b \r\nÜ\r\n\r\n".replace("Ü\r\n", "u: ü\r\nce-id: 2\r\n")),
      );
      expect(carrier.keys()).toEqual(["Ce-Id", "X", "u"]);
      expect(carrier.getAll("CE-ID")).toEqual(["1", "2"]);
      expect([carrier.get("x"), carrier.get("U"), carrier.get("y")]).toEqual(["a: b", "ü", undefined]);
    }
    expect(natsHeaders(received("NATS/1.0 503 No Responders\r\n\r\n")).keys()).toEqual([]);
    expect(natsHeaders(received("NATS/1.0 100\r\nA: 1\r\n\r\n")).get("a")).toBe("1");
  });

  test("the names of one message do not leak into the next", () => {
    natsHeaders(received("NATS/1.0\r\nab: 1\r\nc: 2\r\n\r\n")).keys();
    expect(natsHeaders(received("NATS/1.0\r\na: 1\r\nab: 2\r\n\r\n")).keys()).toEqual(["a", "ab"]);
    expect(natsHeaders(received("NATS/1.0\r\nc: 1\r\n\r\n")).keys()).toEqual(["c"]);
  });

  test.each(["a b: 1", "no colon", ": 1", "é: 1"])("a line that is none makes all of them none: %s", (line) => {
    expect(natsHeaders(received(`NATS/1.0\r\nok: 1\r\n${line}\r\n\r\n`)).keys()).toEqual([]);
  });
});
