import { headers } from "@nats-io/nats-core";
import { afterEach, describe, expect, test } from "vitest";
import type { NatsMessageLike } from "../../adapters/nats/index.ts";
import type { ClientOptions, ServerPorts, TestClient, TestConnection } from "../adapters/nats/clients.ts";
import { until } from "../adapters/nats/sink.ts";

/** A server under test: the embedded one or a real one. */
export type StartServer = (options: {
  maxPayloadBytes?: number;
  token?: string;
}) => Promise<ServerPorts & { stop(): Promise<void> }>;

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (message: NatsMessageLike): string => new TextDecoder().decode(message.data);

/** What a client library must get from a server. Run against the embedded server and a real one alike. */
export function clientCases(client: TestClient, start: StartServer): void {
  const cleanups: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });
  const serve = async (options: Parameters<StartServer>[0] = {}): Promise<ServerPorts> => {
    const server = await start(options);
    cleanups.push(() => server.stop());
    return server;
  };
  const open = async (server: ServerPorts, options?: ClientOptions): Promise<TestConnection> => {
    const connection = await client.open(server, options);
    cleanups.push(() => connection.close());
    return connection;
  };
  const collect = (connection: TestConnection, subject: string, queue?: string): NatsMessageLike[] => {
    const messages: NatsMessageLike[] = [];
    const callback = (_: Error | null, message: NatsMessageLike): void => void messages.push(message);
    connection.subscribe(subject, queue === undefined ? { callback } : { callback, queue });
    return messages;
  };

  describe(client.name, () => {
    test("publishes and subscribes with wildcards, in order and with large bodies", async () => {
      const server = await serve();
      const [from, to] = [await open(server), await open(server)];
      const [one, rest, literal] = [collect(to, "a.*"), collect(to, "a.>"), collect(to, "a.b")];
      await to.flush();
      for (let n = 0; n < 100; n++) from.publish("a.b", bytes(String(n)));
      from.publish("a.b.c", new Uint8Array(200_000).fill(7));
      await from.flush();
      await until(() => rest.length === 101);
      expect(one.map(text)).toEqual(Array.from({ length: 100 }, (_, n) => String(n)));
      expect(literal.length).toBe(100);
      expect(rest[100]!.data.length).toBe(200_000);
    });

    test("carries headers with several values", async () => {
      const server = await serve();
      const connection = await open(server);
      const messages = collect(connection, "h");
      const set = headers();
      set.append("k", "one");
      set.append("k", "two");
      set.append("Other", "three");
      connection.publish("h", bytes("x"), { headers: set });
      await connection.flush();
      await until(() => messages.length === 1);
      expect([...messages[0]!.headers!]).toEqual([
        ["k", ["one", "two"]],
        ["Other", ["three"]],
      ]);
    });

    test("shares a subject within a queue group", async () => {
      const server = await serve();
      const [from, to] = [await open(server), await open(server)];
      const members = [collect(from, "q", "g"), collect(to, "q", "g")];
      const plain = collect(to, "q");
      await Promise.all([from.flush(), to.flush()]);
      for (let n = 0; n < 200; n++) from.publish("q", bytes(String(n)));
      await from.flush();
      await to.flush();
      await until(() => plain.length === 200 && members[0]!.length + members[1]!.length === 200);
    });

    test("answers requests, and tells at once that nobody listens", async () => {
      const server = await serve();
      const [asks, answers] = [await open(server), await open(server)];
      answers.subscribe("echo", { callback: (_, message) => answers.publish(message.reply!, message.data) });
      await answers.flush();
      expect(text(await asks.request("echo", bytes("hello"), { timeout: 2_000 }))).toBe("hello");
      await expect(asks.request("nobody", bytes(""), { timeout: 5_000 })).rejects.toThrow(/responders|503/);
    });

    test("drains: what was published before arrives", async () => {
      const server = await serve();
      const [from, to] = [await open(server), await open(server)];
      const messages = collect(to, "d");
      await to.flush();
      for (let n = 0; n < 500; n++) from.publish("d", bytes("x"));
      await from.drain();
      await until(() => messages.length === 500);
      expect(from.isClosed()).toBe(true);
    });

    test("learns the maximum payload and keeps to it", async () => {
      const connection = await open(await serve({ maxPayloadBytes: 1_000 }));
      expect(connection.info!.max_payload).toBe(1_000);
      connection.publish("a", new Uint8Array(1_000));
      await connection.flush();
      expect(() => connection.publish("a", new Uint8Array(1_001))).toThrow(/payload/i);
    });

    test("connects with the right token and is refused with a wrong one", async () => {
      const server = await serve({ token: "right" });
      await (await open(server, { token: "right" })).flush();
      for (const options of [{ token: "wrong" }, {}]) {
        await expect(client.open(server, { ...options, maxReconnectAttempts: 1 })).rejects.toThrow(/authorization/i);
      }
    });
  });
}
