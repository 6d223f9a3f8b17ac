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
  });
}
