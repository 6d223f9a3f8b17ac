import { afterEach, describe, expect, test } from "vitest";
import { type NatsTransportOptions, natsTransport } from "../../../adapters/nats/index.ts";
import type { Transport, TransportStatus } from "../../../core/transport.ts";
import { type EmbeddedNats, type EmbeddedNatsOptions, startEmbeddedNats } from "../../../testing/index.ts";
import type { ClientOptions, TestClient, TestConnection } from "./clients.ts";
import { collectingSink, outgoing, pause, until } from "./sink.ts";

interface Setup {
  readonly server: EmbeddedNats;
  readonly connection: TestConnection;
  readonly transport: Transport;
  readonly statuses: TransportStatus[];
}

/** What the transport promises with any client, checked against the embedded server. */
export function transportCases(client: TestClient): void {
  const cleanups: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });
  const setUp = async (
    serverOptions: EmbeddedNatsOptions = {},
    options: Partial<NatsTransportOptions> = {},
    clientOptions: ClientOptions = {},
  ): Promise<Setup> => {
    const server = await startEmbeddedNats(serverOptions);
    cleanups.push(() => server.close());
    const connection = await client.open(server, clientOptions);
    cleanups.push(() => connection.close());
    const transport = natsTransport({ connection, ...options });
    const statuses: TransportStatus[] = [];
    transport.onStatus((status) => void statuses.push(status));
    return { server, connection, transport, statuses };
  };

  describe(`natsTransport over ${client.name}`, () => {
    test("publishes with repeated headers and any body, and consumes them as they were", async () => {
      const { transport } = await setUp();
      const sink = collectingSink();
      const subscription = await transport.consume({ destinations: ["orders.*", "raw"], from: "new" }, sink);
      subscription.credit(10);
      const outcomes = await transport.publish([
        outgoing("orders.eu", "grün 🟢", "ce-type", "order.placed", "X-Many", "one", "x-many", "two"),
        outgoing("raw", new Uint8Array([0, 255, 13, 10])),
        outgoing("raw", null, "only", "headers"),
      ]);
      expect(outcomes).toEqual([0, 1, 2].map(() => ({ stored: true, at: {} })));
      await until(() => sink.deliveries.length === 3);
      const [first, second, third] = sink.deliveries.map(({ message }) => message);
      expect(first!.destination).toBe("orders.eu");
      expect(new TextDecoder().decode(first!.body!)).toBe("grün 🟢");
      expect(first!.headers.get("CE-Type")).toBe("order.placed");
      expect(first!.headers.getAll("x-many")).toEqual(["one", "two"]);
      expect([...second!.body!]).toEqual([0, 255, 13, 10]);
      expect(second!.headers.keys()).toEqual([]);
      expect(third!.headers.get("only")).toBe("headers");
      expect(third!.body!.length).toBe(0);
    });

    test("delivers posts in order", async () => {
      const { transport } = await setUp();
      const sink = collectingSink();
      (await transport.consume({ destinations: ["n"], from: "new" }, sink)).credit(1_000);
      for (let n = 0; n < 500; n++) expect(transport.post!(outgoing("n", String(n), "h", String(n)))).toBe(true);
      expect(transport.health().buffered).toBe(500);
      await transport.flush!();
      expect(transport.health()).toEqual({ state: "connected", buffered: 0, bufferedBytes: 0 });
      await until(() => sink.deliveries.length === 500);
      expect(sink.bodies()).toEqual(Array.from({ length: 500 }, (_, n) => String(n)));
    });

    test("shares a subject within a group and copies it to everyone else", async () => {
      const { transport } = await setUp();
      const [one, two, all] = [collectingSink(), collectingSink(), collectingSink()];
      for (const sink of [one, two]) {
        (await transport.consume({ destinations: ["work"], group: "g", from: "new" }, sink)).credit(1_000);
      }
      (await transport.consume({ destinations: [">"], from: "new" }, all)).credit(1_000);
      await transport.publish(Array.from({ length: 200 }, (_, n) => outgoing("work", String(n))));
      await until(() => all.deliveries.length === 200 && one.deliveries.length + two.deliveries.length === 200);
      expect(one.deliveries.length).toBeGreaterThan(0);
      expect(two.deliveries.length).toBeGreaterThan(0);
    });

    test("delivers against credit alone and gives back what was released", async () => {
      const { transport } = await setUp();
      const sink = collectingSink();
      const subscription = await transport.consume({ destinations: ["c"], from: "new" }, sink);
      await transport.publish([outgoing("c", "1"), outgoing("c", "2")]);
      await pause(30);
      expect(sink.deliveries).toEqual([]);
      expect(await subscription.lag()).toEqual([{ lane: "nats", messages: 2 }]);
      subscription.credit(1);
      sink.deliveries[0]!.release();
      subscription.pauseLane("nats");
      subscription.credit(5);
      expect(sink.bodies()).toEqual(["1"]);
      subscription.resumeLane("nats");
      expect(sink.bodies()).toEqual(["1", "1", "2"]);
      await sink.deliveries[1]!.settle({ kind: "ack" });
      await expect(sink.deliveries[2]!.settle({ kind: "retry", delayMs: 1 })).rejects.toMatchObject({
        code: "unsupported",
      });
      expect(await subscription.close()).toEqual({ unsent: 0, unsettled: 1 });
      expect(sink.deliveries[2]!.signal.aborted).toBe(true);
    });

    test("drops the newest for a consumer that is too slow, and says so once", async () => {
      const { transport } = await setUp({}, { hold: { maxMessages: 3 } });
      const sink = collectingSink();
      const subscription = await transport.consume({ destinations: ["c"], from: "new" }, sink);
      await transport.publish(["1", "2", "3", "4", "5"].map((body) => outgoing("c", body)));
      await until(() => sink.errors.length > 0);
      expect(sink.errors.map(({ code }) => code)).toEqual(["buffer-full"]);
      subscription.credit(10);
      expect(sink.bodies()).toEqual(["1", "2", "3"]);
      await transport.publish([outgoing("c", "6")]);
      await until(() => sink.bodies().at(-1) === "6");
    });

    test("refuses to start in the past", async () => {
      const { transport } = await setUp();
      await expect(
        transport.consume({ destinations: ["c"], from: "earliest" }, collectingSink()),
      ).rejects.toMatchObject({ code: "unsupported" });
    });

    test("lets no subject or group smuggle a command into a subscription", async () => {
      const { transport } = await setUp();
      for (const source of [
        { destinations: ["a"], group: "g 1\r\nPUB b 0\r\n" },
        { destinations: ["a\r\nPUB b 0"] },
        { destinations: ["a", ""] },
        { destinations: ["a"], group: "" },
      ]) {
        const consume = transport.consume({ ...source, from: "new" }, collectingSink());
        await expect(consume).rejects.toMatchObject({ code: "invalid-destination" });
      }
    });

    test("answers requests, and fails at once when nobody listens", async () => {
      const { transport, connection } = await setUp();
      connection.subscribe("price", {
        callback: (_, message) => connection.publish(message.reply!, message.data, { headers: message.headers }),
      });
      await connection.flush();
      const answer = await transport.request!(outgoing("price", "apple", "a", "b"), { timeoutMs: 1_000 });
      expect(new TextDecoder().decode(answer.body!)).toBe("apple");
      expect(answer.headers.get("A")).toBe("b");
      await expect(transport.request!(outgoing("nobody", ""), { timeoutMs: 5_000 })).rejects.toMatchObject({
        code: "no-responders",
        retryable: true,
      });
    });

    test("gives up a request at its deadline, at an abort, and believes reply subjects under known prefixes", async () => {
      const { transport, connection } = await setUp();
      const sink = collectingSink();
      (await transport.consume({ destinations: ["slow"], from: "new" }, sink)).credit(10);
      await expect(transport.request!(outgoing("slow", ""), { timeoutMs: 50 })).rejects.toMatchObject({
        code: "timeout",
      });
      const controller = new AbortController();
      const aborted = transport.request!(outgoing("slow", ""), { timeoutMs: 5_000, signal: controller.signal });
      await until(() => sink.deliveries.length === 2);
      controller.abort();
      await expect(aborted).rejects.toMatchObject({ code: "aborted" });
      connection.publish("slow", new Uint8Array(), { reply: "orders.delete" });
      await until(() => sink.deliveries.length === 3);
      expect(sink.deliveries.map(({ message }) => message.replyTo?.slice(0, 7))).toEqual([
        "_INBOX.",
        "_INBOX.",
        undefined,
      ]);
    });

    test("fails the messages to a forbidden subject and stores the rest of the batch", async () => {
      const { transport, statuses } = await setUp({ permissions: { denyPublish: ["secret.>"] } });
      const messages = Array.from({ length: 300 }, (_, n) => outgoing(n % 3 === 0 ? `secret.${n}` : "open", "x"));
      const outcomes = await transport.publish(messages);
      outcomes.forEach((outcome, n) => {
        if (n % 3 !== 0) expect(outcome.stored).toBe(true);
        else expect(outcome).toMatchObject({ stored: false, outcome: "failed", error: { code: "denied" } });
      });
      expect(statuses).toEqual([]);
      transport.post!(outgoing("secret.post", "x"));
      await until(() => statuses.length > 0);
      expect(statuses).toMatchObject([{ type: "error", error: { code: "denied" } }]);
      expect((await transport.publish([outgoing("open", "x")]))[0]!.stored).toBe(true);
    });

    test("rejects a forbidden subscription", async () => {
      const { transport } = await setUp({ permissions: { denySubscribe: ["secret.>"] } });
      const consume = transport.consume({ destinations: ["open", "secret.a"], from: "new" }, collectingSink());
      await expect(consume).rejects.toMatchObject({ code: "denied" });
    });

    test("refuses what could never be sent, each with its code", async () => {
      const { transport } = await setUp({ maxPayloadBytes: 100 });
      expect(transport.capabilities.maxMessageBytes).toBe(100);
      const outcomes = await transport.publish([
        outgoing("big", "x".repeat(101)),
        outgoing("big", "x".repeat(60), "header", "y".repeat(60)),
        outgoing("a b", "x"),
        outgoing("a\r\nPUB b 0", "x"),
        outgoing("h", "x", "bad name", "v"),
        outgoing("h", "x", "naïve", "v"),
        outgoing("h", "x", "colon:", "v"),
        outgoing("h", "x", "n", "v\r\nNats-Msg-Id: 1"),
        outgoing("h", "x", "n", "v\u0000"),
        outgoing("h", "x", "n", "fine"),
      ]);
      const codes = outcomes.map((outcome) => (outcome.stored ? "stored" : outcome.error.code));
      expect(codes).toEqual([
        "too-large",
        "too-large",
        "invalid-destination",
        "invalid-destination",
        ...Array.from({ length: 5 }, () => "invalid-header"),
        "stored",
      ]);
      expect(outcomes[0]).toMatchObject({ outcome: "failed", error: { message: expect.stringMatching(/101.*100/) } });
      expect(() => transport.post!(outgoing("h", "x", "n", "v\n"))).toThrowError(/CR, LF or NUL/);
    });

    test("sends everything accepted through a cut, in order", async () => {
      const { transport, server, statuses } = await setUp();
      const sink = collectingSink();
      (await transport.consume({ destinations: ["n"], from: "new" }, sink)).credit(100_000);
      let accepted = 0;
      for (let round = 0; round < 10; round++) {
        for (let n = 0; n < 20; n++) if (transport.post!(outgoing("n", String(accepted)))) accepted++;
        if (round === 4) server.disconnectAll();
        await pause(5);
      }
      const outcomes = await transport.publish([outgoing("n", String(accepted++))]);
      expect(outcomes).toEqual([{ stored: true, at: {} }]);
      expect(statuses.map(({ type }) => type)).toContain("disconnected");
      expect(statuses.at(-1)).toEqual({ type: "connected" });
      await until(() => sink.bodies().at(-1) === String(accepted - 1));
      // The consumer shares the cut connection and core NATS stores nothing: it may miss some, and repeats none.
      const seen = [...new Set(sink.bodies().map(Number))];
      expect(seen).toEqual([...seen].sort((a, b) => a - b));
    });

    test("refuses, expires and aborts with a code while the server is away", async () => {
      const { transport, server, statuses } = await setUp({}, { buffer: { maxEvents: 3, maxAgeMs: 150 } });
      await server.close();
      await until(() => transport.health().state === "disconnected");
      const controller = new AbortController();
      const aborted = transport.publish([outgoing("a", "1")], { signal: controller.signal });
      const expired = transport.publish([outgoing("a", "2")]);
      expect(transport.post!(outgoing("a", "3"))).toBe(true);
      expect(transport.post!(outgoing("a", "4"))).toBe(false);
      expect((await transport.publish([outgoing("a", "5")]))[0]).toMatchObject({
        stored: false,
        outcome: "failed",
        retrySafe: true,
        error: { code: "buffer-full" },
      });
      controller.abort();
      expect((await aborted)[0]).toMatchObject({ outcome: "failed", error: { code: "aborted" } });
      expect(transport.health().buffered).toBe(2);
      expect((await expired)[0]).toMatchObject({
        outcome: "failed",
        retrySafe: true,
        error: { code: "buffer-expired" },
      });
      await until(() => statuses.some(({ error }) => error?.code === "buffer-expired"));
      expect(transport.health().buffered).toBe(0);
      await expect(transport.request!(outgoing("a", ""), { timeoutMs: 30 })).rejects.toMatchObject({ code: "timeout" });
    });

    test("reports exactly what a close leaves unsent, within its deadline", async () => {
      const { transport, server, connection } = await setUp();
      await server.close();
      await until(() => transport.health().state === "disconnected");
      const waiting = transport.publish(["1", "2", "3"].map((body) => outgoing("a", body)));
      expect(await transport.close({ deadlineMs: 100 })).toEqual({ unsent: 3, unsettled: 0 });
      for (const outcome of await waiting) expect(outcome).toMatchObject({ error: { code: "closed" } });
      expect((await transport.publish([outgoing("a", "4")]))[0]).toMatchObject({ error: { code: "closed" } });
      expect(transport.health().state).toBe("closed");
      expect(connection.isClosed()).toBe(false);
    });

    test("closes with nothing left while the server is there, and leaves the connection open", async () => {
      const { transport, connection, statuses } = await setUp();
      const sink = collectingSink();
      (await transport.consume({ destinations: ["a"], from: "new" }, sink)).credit(1);
      for (let n = 0; n < 100; n++) transport.post!(outgoing("a", "x"));
      expect(await transport.close()).toEqual({ unsent: 0, unsettled: 0 });
      expect(statuses.at(-1)).toEqual({ type: "closed" });
      expect(connection.isClosed()).toBe(false);
      await connection.flush();
    });

    test("fails what waits when its connection is closed by its owner", async () => {
      const { transport, connection, server, statuses } = await setUp();
      await server.close();
      await until(() => transport.health().state === "disconnected");
      const waiting = transport.publish([outgoing("a", "1")]);
      await connection.close();
      expect((await waiting)[0]).toMatchObject({ outcome: "failed", error: { code: "closed" } });
      expect(statuses.some(({ type }) => type === "closed")).toBe(true);
    });
  });
}
