import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect as dial } from "@nats-io/transport-node";
import { describe, expect, test } from "vitest";
import { EventError } from "waybill";
import { connect, fromEnv, type NatsCredentials, type NatsTcpOptions } from "waybill/node";
import { makeCertificates } from "../support/certificates.ts";
import { jwtSetup, nkeySetup } from "../support/nats-jwt.ts";
import { startNatsServer } from "../support/nats-server.ts";

/** Publishes one event with these options; answers the error, which shows none of the secrets. */
async function attempt(nats: NatsTcpOptions, secrets: readonly string[] = []): Promise<EventError | undefined> {
  try {
    await using bus = await connect({ source: "/t", nats });
    await bus.publish("order.placed", { n: 1 });
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(EventError);
    const shown = `${(error as EventError).message} ${(error as EventError).stack} ${inspect(error, { depth: 10 })}`;
    for (const secret of secrets) expect(shown).not.toContain(secret);
    return error as EventError;
  }
}

describe("connect logs in to NATS", () => {
  test("with an nkey; a stranger's is refused", async () => {
    const { config, nkeySeed, strangerSeed } = nkeySetup();
    await using server = await startNatsServer({ config });
    expect(await attempt({ servers: server.url, credentials: { nkeySeed } })).toBeUndefined();
    const refused = await attempt({ servers: server.url, credentials: { nkeySeed: strangerSeed } }, [strangerSeed]);
    expect(refused?.code).toBe("unauthorized");
  });

  test("with a JWT and its seed, and with credentials as a file holds them", async () => {
    const { config, jwt, nkeySeed, creds } = jwtSetup();
    await using server = await startNatsServer({ config });
    expect(await attempt({ servers: server.url, credentials: { jwt, nkeySeed } })).toBeUndefined();
    expect(await attempt({ servers: server.url, credentials: { creds } })).toBeUndefined();
    const other = jwtSetup();
    const refused = await attempt({ servers: server.url, credentials: { creds: other.creds } }, [other.nkeySeed]);
    expect(refused?.code).toBe("unauthorized");
    expect((await attempt({ servers: server.url }))?.code).toBe("unauthorized");
  });

  test("with a token", async () => {
    await using server = await startNatsServer({ config: 'authorization { token: "open-sesame" }' });
    expect(await attempt({ servers: server.url, credentials: { token: "open-sesame" } })).toBeUndefined();
    const wrong = { servers: server.url, credentials: { token: "open-barley" } };
    expect((await attempt(wrong, ["open-barley"]))?.code).toBe("unauthorized");
  });

  test("over TLS with an authority of its own, and not without it", async () => {
    const { ca, keyAndCertificate } = await makeCertificates();
    const folder = mkdtempSync(join(tmpdir(), "waybill-tls-"));
    const file = join(folder, "server.pem");
    writeFileSync(file, keyAndCertificate);
    await using server = await startNatsServer({ config: `tls { cert_file: "${file}", key_file: "${file}" }` });
    rmSync(folder, { recursive: true });
    const servers = server.url.replace("nats:", "tls:");
    expect(await attempt({ servers, tls: { ca } })).toBeUndefined();
    expect((await attempt({ servers }))?.code).toBe("unreachable");
  });

  test("by what the environment says", async () => {
    const { config, creds } = jwtSetup();
    const folder = mkdtempSync(join(tmpdir(), "waybill-creds-"));
    const file = join(folder, "user.creds");
    writeFileSync(file, creds);
    await using server = await startNatsServer({ config });
    const { nats } = fromEnv({ NATS_URL: server.url, NATS_CREDS: file });
    rmSync(folder, { recursive: true });
    expect(await attempt(nats!)).toBeUndefined();
  });

  const wrong: [NatsCredentials, string][] = [
    [{ nkeySeed: "SUnot-a-seed" }, "nkeySeed"],
    [{ jwt: "not-a-jwt", nkeySeed: nkeySetup().nkeySeed }, "jwt"],
    [{ creds: "no credentials in here" }, "creds"],
    [{ token: "" }, "token"],
    [{ user: "shop", password: "" }, "password"],
  ];
  test.each(wrong)("what cannot be credentials is named and not quoted: %#", async (credentials, name) => {
    const secrets = Object.values(credentials).filter((secret) => secret.length > 5);
    const error = await attempt({ servers: "nats://127.0.0.1:1", credentials }, secrets);
    expect(error?.code).toBe("invalid-option");
    expect(error?.message).toContain(`nats.credentials.${name}`);
  });
});

describe("connect with JetStream", () => {
  test("opens both over one connection, which closes after the last ack", async () => {
    await using server = await startNatsServer({ jetstream: true });
    const states: string[] = [];
    const bus = await connect({
      source: "/t",
      nats: { servers: server.url },
      jetstream: { streams: [{ name: "ORDERS", subjects: ["order.>"] }] },
      routes: [
        { type: "order.**", to: "jetstream" },
        { type: "**", to: "nats" },
      ],
      onStatus: ({ transport, type }) => void states.push(`${transport} ${type}`),
    });
    const handled: unknown[] = [];
    await bus.subscribe(
      "order.placed",
      async ({ data }) => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        handled.push(data);
      },
      { group: "billing", concurrency: 8 },
    );
    const receipts = await Promise.all(Array.from({ length: 200 }, (_, n) => bus.publish("order.placed", { n })));
    expect(receipts.map(({ transport, sequence }) => [transport, sequence])).toEqual(
      Array.from({ length: 200 }, (_, n) => ["jetstream", n + 1]),
    );
    await expect(bus.publish("cart.updated", {})).resolves.toMatchObject({ transport: "nats" });
    while (handled.length < 200) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(await bus.close()).toEqual({ unsent: 0, unsettled: 0 });
    expect(states).toContain("nats closed");

    // The last acks reached the server before the connection went.
    const connection = await dial({ servers: server.url });
    const [consumer] = await (await jetstreamManager(connection)).consumers.list("ORDERS").next();
    expect(consumer).toMatchObject({ num_pending: 0, num_ack_pending: 0, ack_floor: { stream_seq: 200 } });
    await connection.close();
  });

  test("needs a connection", async () => {
    await expect(connect({ source: "/t", jetstream: true, kafka: { brokers: "127.0.0.1:1" } })).rejects.toMatchObject({
      code: "invalid-option",
    });
  });
});
