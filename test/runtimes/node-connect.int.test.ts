import { createServer } from "node:net";
import { inspect } from "node:util";
import { connect as dial } from "@nats-io/transport-node";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { createEventBus, type ErrorOrigin, EventError } from "waybill";
import { natsTransport } from "waybill/nats";
import { connect } from "waybill/node";
import { type NatsServer, startNatsServer } from "../support/nats-server.ts";

const password = "correct-horse-battery";
let nats: NatsServer;

beforeAll(async () => {
  nats = await startNatsServer({
    users: [
      { user: "shop", password },
      { user: "reader", password, permissions: '{ publish: { deny: ["secret.>"] } }' },
    ],
  });
});
afterAll(() => nats?.stop());

/** A port on which nobody listens. */
async function deadPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** The error of a promise; everything that a log could show of it must be free of the password. */
async function failure(work: Promise<unknown>): Promise<EventError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(EventError);
  const { message, stack } = error as EventError;
  expect(`${message} ${stack} ${inspect(error, { depth: 10 })}`).not.toContain(password);
  return error as EventError;
}

const credentials = { user: "shop", password };

describe("connect on Node", () => {
  test("opens NATS, publishes and closes what it opened", async () => {
    const bus = await connect({ source: "/t", nats: { servers: nats.url, credentials } });
    const seen: unknown[] = [];
    await bus.subscribe("order.placed", (event) => void seen.push(event.data));
    await expect(bus.publish("order.placed", { orderId: "o-1" })).resolves.toMatchObject({
      stored: "broker",
      transport: "nats",
    });
    await vi.waitFor(() => expect(seen).toEqual([{ orderId: "o-1" }]), 20_000);
    expect(await bus.close()).toEqual({ unsent: 0, unsettled: 0 });
    expect(bus.health().nats?.state).toBe("closed");
  });

  test("says that a server is unreachable, with its name and without the password in its URL", async () => {
    const servers = `nats://shop:${password}@127.0.0.1:${await deadPort()}`;
    const error = await failure(connect({ source: "/t", nats: { servers } }));
    expect(error).toMatchObject({ code: "unreachable", retryable: true });
    expect(error.message).toContain("127.0.0.1");
  });

  test("keeps its own deadline with a server that accepts and says nothing", async () => {
    const silent = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const { port } = silent.address() as { port: number };
    const nats = { servers: `nats://127.0.0.1:${port}`, connectTimeoutMs: 200 };
    expect((await failure(connect({ source: "/t", nats }))).code).toBe("unreachable");
    silent.close();
  });

  test("says that credentials were refused", async () => {
    const wrong = { user: "shop", password: `${password}!` };
    expect((await failure(connect({ source: "/t", nats: { servers: nats.url, credentials: wrong } }))).code).toBe(
      "unauthorized",
    );
  });

  test("says that Kafka is unreachable, and closes the NATS connection that it had opened", async () => {
    const brokers = [`127.0.0.1:${await deadPort()}`];
    const work = connect({
      source: "/t",
      nats: { servers: nats.url, credentials },
      kafka: { brokers, connectTimeoutMs: 1_000 },
      routes: [{ type: "**", to: "kafka" }],
    });
    // The transport opens lazily: whichever call comes first finds out.
    const error = await failure(work.then((bus) => bus.publish("order.placed", {}).finally(() => bus.close())));
    expect(error.code).toBe("unreachable");
    expect(error.message).toContain(brokers[0]);
  });

  test("refuses a URL of another transport, and to open nothing", async () => {
    expect((await failure(connect({ source: "/t", nats: { servers: "ws://127.0.0.1:1" } }))).code).toBe(
      "invalid-option",
    );
    expect((await failure(connect({ source: "/t" }))).code).toBe("invalid-option");
  });

  test("names the package that is missing", async () => {
    vi.doMock("@nats-io/transport-node", () => {
      throw new Error("Cannot find package");
    });
    const error = await failure(connect({ source: "/t", nats: { servers: nats.url } }));
    vi.doUnmock("@nats-io/transport-node");
    expect(error).toMatchObject({
      code: "peer-missing",
      message: expect.stringContaining("npm install @nats-io/transport-node"),
    });
  });
});

describe("bad input on a real server", () => {
  test("a denied subject rejects as certainly not stored, and others of the same moment go through", async () => {
    await using bus = await connect({
      source: "/t",
      nats: { servers: nats.url, credentials: { user: "reader", password } },
    });
    const denied = failure(bus.publish("secret.plan", {}));
    const allowed = bus.publish("open.plan", {});
    expect(await denied).toMatchObject({ code: "denied", outcome: "failed", retryable: false });
    await expect(allowed).resolves.toMatchObject({ stored: "broker" });
  });

  test("an event above the server's limit is refused with both sizes", async () => {
    const limits = { maxEventBytes: 4_000_000 };
    await using bus = await connect({ source: "/t", limits, nats: { servers: nats.url, credentials } });
    const error = await failure(bus.publish("big", { text: "x".repeat(1_100_000) }));
    expect(error.code).toBe("too-large");
    expect(error.message).toMatch(/1048576/);
  });

  test("a full buffer refuses: publish with a code, post with false", async () => {
    const server = await startNatsServer();
    const connection = await dial({ servers: server.url, reconnectTimeWait: 50, maxReconnectAttempts: -1 });
    const bus = createEventBus({
      source: "/t",
      transports: { nats: natsTransport({ connection, buffer: { maxEvents: 5 } }) },
    });
    const lost = new Promise<void>((resolve) => bus.onStatus(({ type }) => type === "disconnected" && resolve()));
    await server.kill();
    await lost;
    const accepted = Array.from({ length: 5 }, (_, n) => bus.publish("order.placed", { n }));
    expect(await failure(bus.publish("order.placed", {}))).toMatchObject({
      code: "buffer-full",
      outcome: "failed",
      retrySafe: true,
    });
    expect(bus.post("order.placed", {})).toBe(false);
    await server.restart();
    await expect(Promise.all(accepted)).resolves.toHaveLength(5);
    expect(await bus.close()).toEqual({ unsent: 0, unsettled: 0 });
    expect((await failure(bus.publish("order.placed", {}))).code).toBe("closed");
    await connection.close();
    await server.stop();
  });

  test("a malformed message is reported with where it came from, and what follows is handled", async () => {
    await using bus = await connect({ source: "/t", nats: { servers: nats.url, credentials } });
    const reported: [EventError, ErrorOrigin][] = [];
    bus.onError((error, origin) => void reported.push([error, origin]));
    const seen: unknown[] = [];
    await bus.subscribe("order.placed", (event) => void seen.push(event.data));
    const raw = await dial({ servers: nats.url, user: "shop", pass: password });
    raw.publish("order.placed", "{ not an event");
    raw.publish(
      "order.placed",
      '{"id":"1","type":"order.placed","source":"go","timestamp":"2026-01-01T00:00:00.123456789Z","data":{"n":1},"trace_id":"","span_id":""}',
    );
    await raw.flush();
    await vi.waitFor(() => expect(seen).toEqual([{ n: 1 }]), 20_000);
    expect(reported).toEqual([
      [
        expect.objectContaining({ code: "malformed-message" }),
        expect.objectContaining({ transport: "nats", destination: "order.placed" }),
      ],
    ]);
    await raw.close();
  });

  test("nobody answering is known at once", async () => {
    await using bus = await connect({ source: "/t", nats: { servers: nats.url, credentials } });
    const error = await failure(bus.request("price.quote", {}, { timeoutMs: 60_000 }));
    expect(error).toMatchObject({ code: "no-responders", retryable: true });
  });
});
