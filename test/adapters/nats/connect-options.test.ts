import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { natsConnectDefaults, toConnectError } from "../../../adapters/nats/index.ts";

describe("natsConnectDefaults", () => {
  test("reconnects for ever, every two seconds, and pings often enough", () => {
    expect(natsConnectDefaults()).toEqual({
      name: "waybill",
      maxReconnectAttempts: -1,
      reconnectTimeWait: 2_000,
      reconnectJitter: 200,
      reconnectJitterTLS: 200,
      pingInterval: 10_000,
      maxPingOut: 2,
      timeout: 5_000,
      ignoreAuthErrorAbort: true,
    });
  });

  test("takes its settings in milliseconds", () => {
    const options = natsConnectDefaults({ name: "web", reconnectWaitMs: 500, heartbeatMs: 1_000, connectTimeoutMs: 9 });
    expect(options).toMatchObject({ name: "web", reconnectTimeWait: 500, pingInterval: 1_000, timeout: 9 });
  });
});

describe("toConnectError", () => {
  test.each([
    ["connection refused", new Error("connection refused")],
    ["a timeout", Object.assign(new Error("timeout"), { code: "TIMEOUT" })],
    ["nothing at all", undefined],
  ])("calls %s unreachable and worth another try", (_, cause) => {
    const error = toConnectError(cause, "nats://one:4222");
    expect(error).toMatchObject({ code: "unreachable", retryable: true, cause });
    expect(error.message).toBe("nats: cannot reach nats://one:4222");
  });

  test.each([
    ["nats-core", Object.assign(new Error("Authorization Violation"), { name: "AuthorizationError" })],
    ["nats.ws", Object.assign(new Error("'Authorization Violation'"), { code: "AUTHORIZATION_VIOLATION" })],
    ["an expired user", new Error("User Authentication Expired")],
  ])("calls refused credentials unauthorized: %s", (_, cause) => {
    expect(toConnectError(cause, ["a", "b"])).toMatchObject({
      code: "unauthorized",
      retryable: false,
      message: "nats: a, b refused the credentials",
    });
  });

  test.each([
    "nats://user:s3cret@one:4222",
    "wss://s3cret@one:4222/path?token=s3cret",
    "user:p@s3cret@one:4222",
    "nats://user:s3cret%40@one:4222#s3cret",
    "wss://one:4222/s3cret",
  ])("names the server of %j without its secrets", (server) => {
    const error = toConnectError(new Error("timeout"), server);
    expect(inspect(error)).not.toContain("s3cret");
    expect(error.message).toContain("one:4222");
  });
});
