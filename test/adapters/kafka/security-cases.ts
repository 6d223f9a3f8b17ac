import { randomUUID } from "node:crypto";
import { inspect } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { kafkaTransport } from "../../../adapters/kafka/index.ts";
import type { SaslOptions } from "../../../adapters/kafka/security.ts";
import type { EventError } from "../../../core/errors.ts";
import type { ConsumeSink, Transport } from "../../../core/transport.ts";
import { type Certificates, makeCertificates } from "../../support/certificates.ts";
import { allow } from "../../support/kafka-admin.ts";
import { type KafkaBroker, startKafka } from "../../support/kafka-broker.ts";
import { type DriverName, driverOf, type TestOptions } from "./drivers.ts";

const username = "shop";
const password = "correct-horse-battery";
const guest = "guest";
const wrong = "incorrect-horse-battery";

const base64url = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");

/** A token without a signature, which the broker's validator for development takes. */
function unsecuredToken(lastsSeconds: number): string {
  const now = Math.floor(Date.now() / 1_000);
  return `${base64url({ alg: "none" })}.${base64url({ sub: username, iat: now - 60, exp: now + lastsSeconds })}.`;
}

/** The same cases for each driver, against a broker with TLS and SASL. */
export function securityCases(name: DriverName): void {
  let certificates: Certificates;
  let broker: KafkaBroker;
  const open: Transport[] = [];

  beforeAll(async () => {
    certificates = await makeCertificates();
    const { keyAndCertificate } = certificates;
    broker = await startKafka({ keyAndCertificate, username, password, guest });
  });
  afterAll(async () => {
    await Promise.all(open.map((each) => each.close({ deadlineMs: 1_000 })));
    await broker?.stop();
  });

  const secure = (sasl: SaslOptions, more: Partial<TestOptions> = {}): Transport => {
    const options = { brokers: broker.secure, tls: { ca: certificates.ca }, sasl, connectTimeoutMs: 15_000, ...more };
    const transport = kafkaTransport({ driver: driverOf(name, options) });
    open.push(transport);
    return transport;
  };

  /** Publishes one message and reads it as a member of a group. */
  async function roundTrip(transport: Transport): Promise<string> {
    const topic = `secure-${randomUUID()}`;
    await broker.createTopic(topic, 1);
    const [outcome] = await transport.publish([{ destination: topic, headers: [], key: "k", body: "behind TLS" }]);
    if (!outcome!.stored) throw outcome!.error;
    const read = new Promise<string>((resolve, reject) => {
      const sink: ConsumeSink = {
        deliver: (delivery) => {
          void delivery.settle({ kind: "ack" });
          resolve(new TextDecoder().decode(delivery.message.body!));
        },
        revoke: async () => undefined,
        failed: reject,
      };
      const source = { destinations: [topic], group: topic, from: "earliest" } as const;
      transport.consume(source, sink).then((it) => it.credit(1), reject);
    });
    // Each open consumer of librdkafka holds a thread of libuv's four.
    return await read.finally(() => transport.close());
  }

  async function refusal(transport: Transport): Promise<EventError> {
    const [outcome] = await transport.publish([{ destination: "t", headers: [], body: "x" }]);
    if (!outcome || outcome.stored) throw new Error("The broker stored it");
    expect(outcome).toMatchObject({ outcome: "failed", retrySafe: true });
    return outcome.error;
  }

  describe("a broker with TLS and SASL", () => {
    it.each(["plain", "scram-sha-256", "scram-sha-512"] as const)("lets in by %s", async (mechanism) => {
      expect(await roundTrip(secure({ mechanism, username, password }))).toBe("behind TLS");
    });

    it("lets in by a bearer token, asked for when a client connects", async () => {
      let asked = 0;
      const token = async (): Promise<string> => {
        asked++;
        return unsecuredToken(300);
      };
      expect(await roundTrip(secure({ mechanism: "oauthbearer", token }))).toBe("behind TLS");
      expect(asked).toBeGreaterThan(0);
    });

    it.each(["plain", "scram-sha-512"] as const)(
      "refuses a wrong password by %s with `unauthorized`, and no error shows it",
      async (mechanism) => {
        const transport = secure({ mechanism, username, password: wrong }, { connectTimeoutMs: 3_000 });
        const seen: unknown[] = [];
        transport.onStatus((status) => void seen.push(status));
        const error = await refusal(transport);
        expect(error).toMatchObject({ code: "unauthorized" });
        const sink = { deliver: () => undefined, revoke: async () => undefined, failed: () => undefined };
        const consuming = transport.consume({ destinations: ["t"], group: "g", from: "new" }, sink);
        await expect(consuming).rejects.toMatchObject({ code: "unauthorized" });
        const consumed: unknown = await consuming.catch((reason: unknown) => reason);
        for (const each of [error, consumed, seen, transport]) {
          const shown = inspect(each, { depth: Number.POSITIVE_INFINITY, showHidden: true, getters: true });
          expect(shown).not.toContain(wrong);
          expect(String((each as Error).stack)).not.toContain(wrong);
        }
      },
    );

    it("denies who may not: to provide topics, to read and to store in transactions", async () => {
      const topic = `guarded-${randomUUID()}`;
      await broker.createTopic(topic, 1);
      const transport = secure({ mechanism: "plain", username: guest, password });
      const read = async (): Promise<string[]> => {
        const found: string[] = [];
        for await (const { position } of transport.read!({ destination: topic })) found.push(position!);
        return found;
      };
      const denied = { code: "denied", retryable: false };
      const letters = { role: "dead-letter", source: topic } as const;
      await expect(transport.ensure!(letters)).rejects.toMatchObject(denied);
      await expect(read()).rejects.toMatchObject(denied);
      await expect(transport.openTransactions!(`guest-${topic}`)).rejects.toMatchObject(denied);
      // It may look, and so learns that there is none; it may not create one.
      await allow(broker.port, guest, "describe", "*");
      await expect(transport.ensure!(letters)).rejects.toMatchObject(denied);
      const owner = secure({ mechanism: "plain", username, password });
      await owner.publish([{ destination: topic, headers: [], body: "x" }]);
      await owner.close();
      await expect(read()).rejects.toMatchObject(denied);
      await broker.createTopic(`${topic}.dlq`, 1);
      await transport.ensure!(letters);
      await transport.close();
    });

    it("reports a token provider that fails, without ending the process", async () => {
      const token = async (): Promise<string> => {
        throw new Error("no token today");
      };
      const error = await refusal(secure({ mechanism: "oauthbearer", token }, { connectTimeoutMs: 3_000 }));
      expect(error.code).toBe("unauthorized");
    });

    it("is not trusted where its authority is unknown, and the error says so", async () => {
      const { ca } = await makeCertificates();
      const transport = secure({ mechanism: "plain", username, password }, { tls: { ca }, connectTimeoutMs: 3_000 });
      const error = await refusal(transport);
      expect(error.code).toBe("unreachable");
      expect(error.message).toContain(broker.secure);
      expect(error.message).toMatch(/certificate/i);
    });
  });
}
