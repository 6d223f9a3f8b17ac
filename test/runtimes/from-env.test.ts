import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as bun from "waybill/bun";
import * as deno from "waybill/deno";
import { fromEnv } from "waybill/node";

let folder: string;
const file = (name: string): string => join(folder, name);
const seed = `SU${"A".repeat(56)}`;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "waybill-env-"));
  for (const name of ["ca.pem", "cert.pem", "key.pem"]) writeFileSync(file(name), name);
  writeFileSync(file("user.creds"), "the credentials");
  writeFileSync(file("user.nk"), `# a seed\n${seed}\n`);
  writeFileSync(file("empty"), "");
});
afterAll(() => rmSync(folder, { recursive: true }));

describe("fromEnv", () => {
  test("says nothing of what is not set", () => {
    expect(fromEnv({})).toEqual({});
    expect(fromEnv({ NATS_URL: " ", KAFKA_BROKERS: "" })).toEqual({});
  });

  test("is the same on every server runtime", () => {
    const variables = { NATS_URL: "nats://a:4222,nats://b:4222", OTEL_SERVICE_NAME: "orders" };
    expect(deno.fromEnv(variables)).toEqual(fromEnv(variables));
    expect(bun.fromEnv(variables)).toEqual(fromEnv(variables));
  });

  test("takes the source, or makes one of the service's name", () => {
    expect(fromEnv({ OTEL_SERVICE_NAME: "orders" })).toEqual({ source: "/orders" });
    expect(fromEnv({ OTEL_SERVICE_NAME: "orders", WAYBILL_SOURCE: "/shop/orders" })).toEqual({
      source: "/shop/orders",
    });
  });

  test.each([
    [{ NATS_TOKEN: "t" }, { token: "t" }],
    [
      { NATS_USER: "u", NATS_PASSWORD: "p" },
      { user: "u", password: "p" },
    ],
  ])("takes NATS credentials %#", (variables, credentials) => {
    expect(fromEnv({ NATS_URL: "nats://a", ...variables })).toEqual({ nats: { servers: "nats://a", credentials } });
  });

  test("reads NATS credentials, seeds and TLS from files", () => {
    const nats = (variables: Record<string, string>) => fromEnv({ NATS_URL: "nats://a", ...variables }).nats;
    expect(nats({ NATS_CREDS: file("user.creds") })?.credentials).toEqual({ creds: "the credentials" });
    expect(nats({ NATS_NKEY: file("user.nk") })?.credentials).toEqual({ nkeySeed: seed });
    const tls = { NATS_CA: file("ca.pem"), NATS_CERT: file("cert.pem"), NATS_KEY: file("key.pem") };
    expect(nats(tls)?.tls).toEqual({ ca: "ca.pem", cert: "cert.pem", key: "key.pem" });
    expect(nats({ NATS_CA: file("ca.pem") })?.tls).toEqual({ ca: "ca.pem" });
  });

  test("takes Kafka with TLS and SASL", () => {
    expect(
      fromEnv({
        KAFKA_BROKERS: "a:9092,b:9092",
        KAFKA_CLIENT_ID: "orders",
        KAFKA_TLS: "true",
        KAFKA_SASL_MECHANISM: "SCRAM-SHA-512",
        KAFKA_SASL_USERNAME: "u",
        KAFKA_SASL_PASSWORD: "p",
      }),
    ).toEqual({
      kafka: {
        brokers: "a:9092,b:9092",
        clientId: "orders",
        tls: true,
        sasl: { mechanism: "scram-sha-512", username: "u", password: "p" },
      },
    });
    expect(fromEnv({ KAFKA_BROKERS: "a", KAFKA_TLS: "false", NATS_URL: "nats://a", NATS_JETSTREAM: "1" })).toEqual({
      kafka: { brokers: "a" },
      nats: { servers: "nats://a" },
      jetstream: true,
    });
  });

  const nats = { NATS_URL: "nats://a" };
  test.each<[Record<string, string>, string]>([
    [{ ...nats, NATS_USER: "u" }, "NATS_PASSWORD"],
    [{ ...nats, NATS_TOKEN: "t", NATS_USER: "u", NATS_PASSWORD: "p" }, "NATS_TOKEN"],
    [{ ...nats, NATS_CREDS: "/nowhere/user.creds" }, "NATS_CREDS"],
    [{ ...nats, NATS_CERT: "cert.pem" }, "NATS_CERT"],
    [{ ...nats, NATS_JETSTREAM: "perhaps" }, "NATS_JETSTREAM"],
    [{ NATS_JETSTREAM: "true" }, "NATS_JETSTREAM"],
    [{ KAFKA_BROKERS: "a", KAFKA_SASL_USERNAME: "u" }, "KAFKA_SASL_PASSWORD"],
  ])("names the variable that cannot be: %#", (variables, name) => {
    expect(() => fromEnv(variables)).toThrow(
      expect.objectContaining({ code: "invalid-option", message: expect.stringContaining(name) }),
    );
  });

  test("a file without a seed is named", () => {
    expect(() => fromEnv({ ...nats, NATS_NKEY: file("empty") })).toThrow(/NATS_NKEY/);
  });
});
