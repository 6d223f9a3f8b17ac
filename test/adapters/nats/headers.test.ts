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
