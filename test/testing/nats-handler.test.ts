import { headers, type NatsConnection, wsconnect } from "@nats-io/nats-core";
import { setupServer } from "msw/node";
import { connect as connectNatsWs } from "nats.ws";
import * as v from "valibot";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { createEventBus, defineEvents } from "waybill";
import { connect } from "waybill/browser";
import { type NatsLike, natsTransport } from "waybill/nats";
import { NatsEngine, natsHandler } from "waybill/testing";
import WebSocket from "ws";
import { until } from "../adapters/nats/sink.ts";

const url = "ws://localhost:9222";
const otherUrl = "ws://localhost:9333";
const engine = new NatsEngine();
const server = setupServer(await natsHandler(url, { engine }), await natsHandler(otherUrl));
const patient = { maxReconnectAttempts: -1, reconnectTimeWait: 20, timeout: 2_000 };

const cleanups: (() => unknown)[] = [];
beforeAll(() => {
  globalThis.WebSocket ??= WebSocket as unknown as typeof globalThis.WebSocket;
  server.listen({ onUnhandledRequest: "error" });
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  await until(() => engine.connections === 0);
});
afterAll(() => server.close());

const openWsconnect = async (servers = url): Promise<NatsConnection> => {
  const connection = await wsconnect({ servers, ...patient });
  cleanups.push(() => connection.close());
  return connection;
};
const openNatsWs = async (servers = url): Promise<NatsConnection> => {
  const connection = (await connectNatsWs({ servers, ...patient })) as unknown as NatsConnection;
  cleanups.push(() => connection.close());
  return connection;
};
const bodiesOf = (connection: NatsConnection, subject: string, queue?: string): string[] => {
  const bodies: string[] = [];
  connection.subscribe(subject, {
    ...(queue === undefined ? {} : { queue }),
    callback: (_, message) => void bodies.push(new TextDecoder().decode(message.data)),
  });
  return bodies;
};

/** What the handler sends to a socket that hands it these frames. */
async function conversation(...frames: (string | Blob | ArrayBuffer | Uint8Array<ArrayBuffer>)[]): Promise<string> {
  const socket = new globalThis.WebSocket(url);
  socket.binaryType = "arraybuffer";
  let answer = "";
  socket.addEventListener("message", ({ data }) => {
    answer += new TextDecoder().decode(data as ArrayBuffer);
  });
  const closed = new Promise((resolve) => socket.addEventListener("close", resolve));
  await new Promise((resolve) => socket.addEventListener("open", resolve));
  for (const frame of frames) socket.send(frame);
  await closed;
  return answer.replace(/^INFO .*\r\n/, "");
}

describe("natsHandler", () => {
  test("serves wsconnect and nats.ws side by side", async () => {
    const [one, two] = [await openWsconnect(), await openNatsWs()];
    const [atOne, atTwo] = [bodiesOf(one, "a.*"), bodiesOf(two, "a.>")];
    await Promise.all([one.flush(), two.flush()]);
    for (let n = 0; n < 100; n++) (n % 2 ? one : two).publish("a.b", String(n));
    await Promise.all([one.flush(), two.flush()]);
    await until(() => atOne.length === 100 && atTwo.length === 100);
    const inOrder = (bodies: string[], parity: number): boolean =>
      bodies
        .map(Number)
        .filter((n) => n % 2 === parity)
        .every((n, at) => n === 2 * at + parity);
    expect([atOne, atTwo].every((bodies) => inOrder(bodies, 0) && inOrder(bodies, 1))).toBe(true);
  });

  test.each([
    ["wsconnect", openWsconnect],
    ["nats.ws", openNatsWs],
  ])("carries headers and 150 kB through %s", async (_, open) => {
    const connection = await open();
    const received = connection.subscribe("large", { max: 1 });
    const set = headers();
    set.append("k", "one");
    set.append("k", "two");
    const body = Uint8Array.from({ length: 150_000 }, (_, n) => n % 251);
    connection.publish("large", body, { headers: set });
    for await (const message of received) {
      expect(message.headers!.values("k")).toEqual(["one", "two"]);
      expect(message.data).toEqual(body);
    }
  });

  test.each([
    ["wsconnect", openWsconnect],
    ["nats.ws", openNatsWs],
  ])("answers requests through %s, and tells at once that nobody listens", async (_, open) => {
    const [asks, answers] = [await open(), await open()];
    answers.subscribe("echo", { callback: (_, message) => void message.respond(message.data) });
    await answers.flush();
    expect((await asks.request("echo", "hello", { timeout: 2_000 })).string()).toBe("hello");
    await expect(asks.request("nobody", "", { timeout: 5_000 })).rejects.toThrow(/responders|503/);
  });

  test("shares a subject within a queue group", async () => {
    const [one, two] = [await openWsconnect(), await openNatsWs()];
    const [atOne, atTwo, all] = [bodiesOf(one, "q", "g"), bodiesOf(two, "q", "g"), bodiesOf(two, "q")];
    await Promise.all([one.flush(), two.flush()]);
    for (let n = 0; n < 200; n++) one.publish("q", String(n));
    await until(() => all.length === 200 && atOne.length + atTwo.length === 200);
    expect(Math.min(atOne.length, atTwo.length)).toBeGreaterThan(0);
  });

  test("keeps two handlers apart", async () => {
    const [here, there] = [await openWsconnect(), await openWsconnect(otherUrl)];
    const [atHere, atThere] = [bodiesOf(here, ">"), bodiesOf(there, ">")];
    await Promise.all([here.flush(), there.flush()]);
    expect(engine.connections).toBe(1);
    here.publish("a", "here");
    there.publish("a", "there");
    await Promise.all([here.flush(), there.flush()]);
    await until(() => atHere.length === 1 && atThere.length === 1);
    expect([atHere, atThere]).toEqual([["here"], ["there"]]);
  });

  test("lets clients reconnect after a cut, with their subscriptions", async () => {
    const clients = [await openWsconnect(), await openNatsWs()];
    const bodies = clients.map((client) => bodiesOf(client, "news"));
    await Promise.all(clients.map((client) => client.flush()));
    engine.disconnectAll();
    expect([engine.connections, engine.subscriptions]).toEqual([0, []]);
    await until(() => engine.subscriptions.length === 2);
    expect(engine.publish("news", "again")).toBe(2);
    await until(() => bodies.every(({ length }) => length === 1));
  });

  test.each<[string, Parameters<typeof conversation>, string]>([
    ["text that is no protocol", ["GET / HTTP/1.1\r\n"], "-ERR 'Authorization Violation'\r\n"],
    ["bytes that are no text", [new Uint8Array([0xff, 0xfe, 0, 10])], "-ERR 'Authorization Violation'\r\n"],
    ["a CONNECT that is no object", ["CONNECT null\r\n"], "-ERR 'Parser Error'\r\n"],
    ["a size that is no number", ["CONNECT {}\r\n", "PUB a -1\r\n"], "-ERR 'Parser Error'\r\n"],
    [
      "a payload without its end",
      [new Blob(["CONNECT {}\r\nPUB a 1\r\nx"]), "yz"],
      "-ERR 'Unknown Protocol Operation'\r\n",
    ],
  ])("answers %s with an error and closes", async (_, frames, error) => {
    expect(await conversation(...frames)).toBe(error);
  });

  test("reads the frames of every kind in the order they were sent", async () => {
    const script = ["CONNECT {}\r\n", "SUB a 1\r\nPUB a 2\r\n", "h", "i\r\nPI", "NG\r\nJUMP\r\n"];
    const kinds = [
      (text: string) => new Blob([text]),
      (text: string) => text,
      (text: string) => new TextEncoder().encode(text).buffer,
      (text: string) => new TextEncoder().encode(`__${text}__`).subarray(2, 2 + text.length),
    ];
    const frames = script.map((text, at) => kinds[at % kinds.length]!(text));
    expect(await conversation(...frames)).toBe("MSG a 1 2\r\nhi\r\nPONG\r\n-ERR 'Unknown Protocol Operation'\r\n");
  });

  test("carries a bus of waybill/browser and one over a client of one's own", async () => {
    const events = defineEvents({
      "cart.updated": { schema: v.object({ items: v.number() }) },
      "price.quote": { schema: v.object({ sku: v.string() }), reply: v.object({ price: v.number() }) },
    });
    const page = await connect({ source: "/shop/web", events, nats: { servers: url } });
    const connection = (await openNatsWs()) as unknown as NatsLike;
    const backend = createEventBus({
      source: "/shop/backend",
      events,
      transports: { nats: natsTransport({ connection }) },
    });
    cleanups.push(
      () => page.close(),
      () => backend.close(),
    );
    const seen: unknown[] = [];
    await backend.subscribe("cart.updated", ({ source, data }) => void seen.push([source, data]), { group: "carts" });
    await backend.respond("price.quote", ({ data }) => ({ price: data.sku.length }));
    expect(engine.subscriptions).toContainEqual({ subject: "cart.updated", queue: "carts" });

    await page.publish("cart.updated", { items: 3 });
    expect((await page.request("price.quote", { sku: "tea" })).data).toEqual({ price: 3 });
    await until(() => seen.length === 1);
    expect(seen).toEqual([["/shop/web", { items: 3 }]]);
  });

  test("refuses what is no WebSocket's URL", async () => {
    await expect(natsHandler("nats://localhost:4222")).rejects.toMatchObject({ code: "invalid-option" });
  });

  test("takes no new connection once the server is closed; open ones end when the broker cuts them", async () => {
    const before = await openWsconnect();
    server.close();
    try {
      await before.flush();
      await expect(wsconnect({ servers: url, maxReconnectAttempts: 0, timeout: 1_000 })).rejects.toThrow();
      engine.disconnectAll();
      expect(engine.connections).toBe(0);
    } finally {
      server.listen({ onUnhandledRequest: "error" });
    }
    await until(() => engine.connections === 1);
  });
});
