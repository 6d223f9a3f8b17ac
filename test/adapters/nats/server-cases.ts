import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { natsTransport, toConnectError } from "../../../adapters/nats/index.ts";
import { type NatsServer, startNatsServer } from "../../support/nats-server.ts";
import type { TestClient, TestConnection } from "./clients.ts";
import { collectingSink, outgoing, until } from "./sink.ts";

const WEB = { user: "web", pass: "s3cret" };

/** What the transport promises, checked against a real nats-server with permissions. */
export function serverCases(client: TestClient): void {
  let server: NatsServer;
  let connection: TestConnection;
  beforeAll(async () => {
    server = await startNatsServer({
      users: [
        {
          user: WEB.user,
          password: WEB.pass,
          permissions: '{ publish: { deny: ["secret.>"] }, subscribe: { deny: ["secret.>"] } }',
        },
      ],
    });
    connection = await client.open(server, WEB);
  });
  afterAll(async () => {
    await connection.close();
    await server.stop();
  });

  describe(`natsTransport over ${client.name}, with a nats-server`, () => {
    test("fails the messages to a forbidden subject and stores the rest of the batch", async () => {
      const transport = natsTransport({ connection });
      for (let round = 0; round < 5; round++) {
        const messages = Array.from({ length: 200 }, (_, n) => outgoing(n % 4 === 0 ? `secret.${n % 8}` : "open", "x"));
        const outcomes = await transport.publish(messages);
        outcomes.forEach((outcome, n) => {
          if (n % 4 !== 0) expect(outcome).toEqual({ stored: true, at: {} });
          else expect(outcome).toMatchObject({ outcome: "failed", error: { code: "denied" } });
        });
      }
      await transport.close();
    });

    test("rejects a forbidden subscription, with and without a group", async () => {
      const transport = natsTransport({ connection });
      for (const group of [undefined, "g"]) {
        const consume = transport.consume({ destinations: ["secret.a"], group, from: "new" }, collectingSink());
        await expect(consume).rejects.toMatchObject({ code: "denied" });
      }
      await transport.close();
    });

    test("fails a forbidden request at once", async () => {
      const transport = natsTransport({ connection });
      const request = transport.request!(outgoing("secret.q", "x"), { timeoutMs: 5_000 });
      await expect(request).rejects.toMatchObject({ code: "denied" });
      await transport.close();
    });

    test("consumes again after the server was killed, in order and with headers", async () => {
      const transport = natsTransport({ connection });
      const sink = collectingSink();
      const subscription = await transport.consume({ destinations: ["o.>"], group: "g", from: "new" }, sink);
      subscription.credit(1_000);
      await transport.publish([outgoing("o.1", "a", "K", "1", "K", "2")]);
      await server.kill();
      await until(() => transport.health().state === "disconnected");
      const waiting = transport.publish(["b", "c"].map((body) => outgoing("o.2", body)));
      await server.restart();
      expect((await waiting).map(({ stored }) => stored)).toEqual([true, true]);
      await until(() => sink.bodies().at(-1) === "c");
      expect(sink.bodies()).toEqual(["a", "b", "c"]);
      expect(sink.deliveries[0]!.message.headers.getAll("k")).toEqual(["1", "2"]);
      expect(await transport.close()).toEqual({ unsent: 0, unsettled: 3 });
    });

    test("tells refused credentials from a server that is not there, and names neither", async () => {
      const wrong = { user: "web", pass: "wr0ng", maxReconnectAttempts: 1 };
      const refused = await client.open(server, wrong).catch((error) => toConnectError(error, `${wrong.pass}@host`));
      expect(refused).toMatchObject({ code: "unauthorized", message: "nats: host refused the credentials" });
      const nowhere = await client
        .open({ port: 1, websocketPort: 1 }, { maxReconnectAttempts: 1 })
        .catch((error) => toConnectError(error, "host"));
      expect(nowhere).toMatchObject({ code: "unreachable", retryable: true });
    });
  });
}
