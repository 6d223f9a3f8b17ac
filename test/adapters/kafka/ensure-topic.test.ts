import { describe, expect, it } from "vitest";
import { kafkaTransport } from "../../../adapters/kafka/index.ts";
import type { EventError } from "../../../core/errors.ts";
import type { Transport } from "../../../core/transport.ts";
import { FakeDriver } from "./fake-driver.ts";
import { type FakeAdmin, FakeStoredDriver } from "./fake-stored.ts";

const KiB = 1024;

function providing(): { transport: Transport; admin: FakeAdmin } {
  const driver = new FakeStoredDriver();
  driver.admin.topics.set("orders", {
    partitions: 6,
    replicas: 3,
    led: true,
    settings: { maxMessageBytes: 300 * KiB },
  });
  return { transport: kafkaTransport({ driver, maxMessageBytes: 512 * KiB }), admin: driver.admin };
}

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => "none",
    (error: EventError) => error.code,
  );

describe("a topic that belongs to another", () => {
  it("is created as its role asks, kept by as many brokers as its source", async () => {
    const { transport, admin } = providing();
    const provided = await transport.ensure!({ role: "dead-letter", source: "orders" });
    expect(provided.destinations).toEqual(["orders.dlq"]);
    expect(provided.of("orders")).toBe("orders.dlq");
    await transport.ensure!({ role: "retry", source: "orders" });
    await transport.ensure!({ role: "state", source: "orders", destination: "ledger" });
    expect(admin.created).toEqual([
      {
        topic: "orders.dlq",
        partitions: 1,
        replicas: 3,
        config: { "cleanup.policy": "delete", "retention.ms": "-1", "max.message.bytes": String(364 * KiB) },
      },
      { topic: "orders.retry", partitions: 6, replicas: 3, config: {} },
      { topic: "ledger", partitions: 1, replicas: 3, config: { "cleanup.policy": "compact" } },
    ]);
    expect(admin.closed).toBe(true);
  });

  it("takes letters of the largest message that the transport sends where the source's bound is not told", async () => {
    const { transport, admin } = providing();
    admin.topics.set("orders", { partitions: 1, replicas: 1, led: true });
    await transport.ensure!({ role: "dead-letter", source: "orders" });
    expect(admin.created[0]!.config["max.message.bytes"]).toBe(String(576 * KiB));
  });

  it("is verified where it exists, and nothing is created", async () => {
    const { transport, admin } = providing();
    const topic = { partitions: 1, replicas: 1, led: true };
    const cases = [
      ["dead-letter", { compacts: false, deletes: true }, "none"],
      ["dead-letter", { compacts: true, deletes: false }, "configuration-mismatch"],
      ["dead-letter", { compacts: true, deletes: true }, "configuration-mismatch"],
      ["dead-letter", {}, "none"],
      ["state", { compacts: true, deletes: false }, "none"],
      ["state", { compacts: false, deletes: true }, "configuration-mismatch"],
      ["state", { compacts: true, deletes: true }, "configuration-mismatch"],
      ["state", {}, "none"],
      ["retry", { compacts: false, deletes: true }, "none"],
    ] as const;
    for (const [role, settings, code] of cases) {
      admin.topics.set("mine", { ...topic, settings });
      expect([
        role,
        settings,
        await codeOf(transport.ensure!({ role, source: "orders", destination: "mine" })),
      ]).toEqual([role, settings, code]);
    }
    expect(admin.created).toEqual([]);
  });

  it("is taken as it is when a rival was faster, and verified as well", async () => {
    const { transport, admin } = providing();
    admin.before = ({ topic }) => admin.topics.set(topic, { partitions: 1, replicas: 3, led: true });
    await transport.ensure!({ role: "dead-letter", source: "orders" });
    admin.topics.delete("orders.dlq");
    admin.before = ({ topic }) =>
      admin.topics.set(topic, { partitions: 1, replicas: 3, led: true, settings: { compacts: true } });
    expect(await codeOf(transport.ensure!({ role: "dead-letter", source: "orders" }))).toBe("configuration-mismatch");
  });

  it("is not provided before each of its partitions has a leader", async () => {
    const { transport, admin } = providing();
    admin.topics.set("orders.retry", { partitions: 6, replicas: 3, led: false });
    let provided = false;
    const providingIt = transport.ensure!({ role: "retry", source: "orders" }).then(() => {
      provided = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(provided).toBe(false);
    admin.topics.set("orders.retry", { partitions: 6, replicas: 3, led: true });
    await providingIt;
  });

  it("needs a driver that can create topics", async () => {
    const transport = kafkaTransport({ driver: new FakeDriver() });
    expect(await codeOf(transport.ensure!({ role: "retry", source: "orders" }))).toBe("unsupported");
  });
});
