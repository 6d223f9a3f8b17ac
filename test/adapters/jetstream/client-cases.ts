import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { jetstreamTransport } from "../../../adapters/jetstream/index.ts";
import { type NatsServer, startNatsServer } from "../../support/nats-server.ts";
import type { TestClient } from "../nats/clients.ts";
import { collectingSink, until } from "../nats/sink.ts";
import { message } from "./setup.ts";

/** What has to work over every client library. */
export function clientCases(client: TestClient): void {
  let server: NatsServer;
  beforeAll(async () => {
    server = await startNatsServer({ jetstream: true });
  });
  afterAll(() => server.stop());

  describe(`jetstreamTransport over ${client.name}`, () => {
    test("provides a stream, publishes, consumes, retries, reads and closes, across a killed server", async () => {
      const connection = await client.open(server);
      const streams = [{ name: "CLIENT", subjects: ["client.>"] }];
      const transport = jetstreamTransport({ connection, streams });
      const messages = Array.from({ length: 300 }, (_, n) => message("client.a", String(n), { dedupId: `c-${n}` }));
      const outcomes = await transport.publish(messages);
      expect(outcomes.map((outcome) => outcome.stored && outcome.at.sequence)).toEqual(messages.map((_, n) => n + 1));

      const sink = collectingSink();
      const source = { destinations: ["client.*"], group: "g", from: "earliest" };
      const subscription = await transport.consume(source, sink);
      subscription.credit(1_000);
      await until(() => sink.deliveries.length === 300);
      await sink.deliveries[0]!.settle({ kind: "retry", delayMs: 50 });
      await Promise.all(sink.deliveries.slice(1).map((delivery) => delivery.settle({ kind: "ack" })));
      await until(() => sink.deliveries.length === 301);
      expect(sink.deliveries[300]).toMatchObject({ attempt: 2, position: "1" });
      await sink.deliveries[300]!.settle({ kind: "ack" });

      await server.kill();
      await until(() => transport.health().state === "disconnected");
      const waiting = transport.publish([message("client.b", "after", { dedupId: "after" })]);
      await server.restart();
      expect(await waiting).toEqual([{ stored: true, at: { sequence: 301 } }]);
      await until(() => sink.bodies().includes("after"));
      await sink.deliveries.at(-1)!.settle({ kind: "ack" });

      const read: string[] = [];
      for await (const { body } of transport.read!({ destination: "client.>" }))
        read.push(new TextDecoder().decode(body!));
      expect(read).toEqual([...messages.map(({ body }) => body), "after"]);
      // A killed server may have forgotten acks that it confirmed: what comes again is acknowledged again.
      await Promise.all(sink.deliveries.slice(301).map((delivery) => delivery.settle({ kind: "ack" })));
      expect(await transport.close()).toEqual({ unsent: 0, unsettled: 0 });
      await connection.close();
      expect(transport.health().state).toBe("closed");
    });

    test("keeps letters and states, and hands out what the server gave up as it was", async () => {
      const connection = await client.open(server);
      const streams = [{ name: "LETTERS", subjects: ["letters.>"] }];
      const transport = jetstreamTransport({ connection, streams, durableName: (group) => group });
      const { of, destinations } = await transport.ensure!({ role: "dead-letter", source: "letters.*" });
      const event = { destination: "letters.a", headers: ["ce-id", "e-1", "Two", "x", "Two", "y"], body: "ü" };
      await transport.publish([event, message(of("letters.a"), "letter")]);
      const letters: string[] = [];
      for await (const { body } of transport.read!({ destination: destinations[0]! })) {
        letters.push(new TextDecoder().decode(body!));
      }
      expect(letters).toEqual(["letter"]);

      const sink = collectingSink();
      const subscription = await transport.consume({ destinations: ["letters.a"], group: "g", from: "earliest" }, sink);
      subscription.credit(10);
      await until(() => sink.deliveries.length === 1);
      connection.publish(
        "$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.LETTERS.g",
        new TextEncoder().encode(JSON.stringify({ type: "x.terminated", consumer: "g", stream_seq: 1, deliveries: 1 })),
      );
      await until(() => sink.deliveries.length === 2);
      const [once, given] = sink.deliveries;
      expect(given).toMatchObject({ givenUp: "terminated", position: once!.position, lane: once!.lane });
      const { headers } = given!.message;
      expect(headers.getAll("two")).toEqual(["x", "y"]);
      expect(headers.entries()).toEqual(once!.message.headers.entries());
      expect([given!.message.destination, given!.message.timestampMs]).toEqual([
        once!.message.destination,
        once!.message.timestampMs,
      ]);
      expect(sink.bodies()).toEqual(["ü", "ü"]);
      for (const each of sink.deliveries) await each.settle({ kind: "ack" });

      const store = await transport.openState!("clients", { ttlMs: 60_000 });
      const revision = (await store.put("k", "1", 0))!;
      expect(await store.put("k", "2", 0)).toBeUndefined();
      expect(await store.get("k")).toEqual({ value: "1", revision });
      expect(await store.delete("k", revision)).toBe(true);
      expect(await transport.close()).toEqual({ unsent: 0, unsettled: 0 });
      await connection.close();
    });
  });
}
