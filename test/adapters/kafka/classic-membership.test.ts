import { describe, expect, it, vi } from "vitest";
import { ClassicMembership } from "../../../adapters/kafka/platformatic/classic-membership.ts";
import { Fetcher } from "../../../adapters/kafka/platformatic/fetcher.ts";
import { Holdings } from "../../../adapters/kafka/platformatic/holdings.ts";
import { Link } from "../../../adapters/kafka/platformatic/link.ts";
import { StartPositions } from "../../../adapters/kafka/platformatic/positions.ts";
import type { Vendor } from "../../../adapters/kafka/platformatic/vendor.ts";
import { FakeVendorConsumer, layout } from "./fake-vendor.ts";

const options = { brokers: "127.0.0.1:1" };
const source = { group: "g", topics: ["t"], from: "earliest" } as const;

function member(assignmentStrategy: "cooperative-sticky" | "roundrobin" = "roundrobin") {
  const log: string[] = [];
  let drained: () => void = () => undefined;
  const events = {
    connected: () => undefined,
    disconnected: () => undefined,
    failed: (error: Error) => void log.push(`failed: ${error.message}`),
    assigned: (list: readonly { partition: number }[]) => void log.push(`assigned ${list.map((p) => p.partition)}`),
    revoking: (list: readonly { partition: number }[], lost: boolean) => {
      log.push(`${lost ? "lost" : "revoking"} ${list.map((p) => p.partition)}`);
      return new Promise<void>((resolve) => {
        drained = resolve;
      });
    },
  };
  const reader = new FakeVendorConsumer();
  reader.layout = layout("t", 4);
  let client!: FakeVendorConsumer;
  const vendor = {
    Consumer: class extends FakeVendorConsumer {
      constructor(config: Record<string, unknown>) {
        super(config);
        client = this;
      }
    },
  } as unknown as Vendor;
  const holdings = new Holdings(new StartPositions(reader, source), new Fetcher(reader, events.failed), events);
  const link = new Link(reader, options, events);
  const membership = new ClassicMembership(vendor, { ...options, assignmentStrategy }, source, holdings, link, events);
  membership.start();
  const join = async (...partitions: number[]): Promise<void> => {
    client.assignments = [{ topic: "t", partitions }];
    client.memberId = "m";
    client.generationId++;
    client.emit("consumer:group:join", { assignments: client.assignments });
    await new Promise((resolve) => setTimeout(resolve, 10));
  };
  const beforeJoin = (): Promise<Uint8Array> => (client.config.protocolsMetadata as () => Promise<Uint8Array>)();
  return { client, log, membership, join, beforeJoin, drained: () => drained() };
}
const one = [{ topic: "t", partition: 0, offset: 1 }];

describe("a member of a classic group", () => {
  it("joins anew only when its work is drained, and commits nothing between that and the answer", async () => {
    const { client, log, membership, join, beforeJoin, drained } = member();
    await expect(membership.commit(one)).rejects.toMatchObject({ code: "fenced" });
    await join(0, 1);
    await membership.commit(one);
    client.emit("consumer:group:rebalance");
    let joining = false;
    const hook = beforeJoin().then(() => {
      joining = true;
    });
    await vi.waitFor(() => expect(log).toEqual(["assigned 0,1", "revoking 0,1"]));
    await membership.commit(one); // what was drained
    expect(joining).toBe(false);
    drained();
    await hook;
    await expect(membership.commit(one)).rejects.toMatchObject({ code: "fenced" });
    expect(client.commits.length).toBe(2);
    await join(1);
    await membership.commit(one);
    expect(client.commits.length).toBe(3);
    expect(log.at(-1)).toBe("assigned 1");
  });

  it("never lets the client repeat a commit under another generation", () => {
    expect(member().client.config.retries).toBe(0);
  });

  it("drains only what moves in a cooperative group, and says since when it owns the rest", async () => {
    const { client, log, join, beforeJoin, drained } = member("cooperative-sticky");
    await join(0, 1);
    client.emit("consumer:group:rebalance");
    expect([...(await beforeJoin())]).toEqual([0, 0, 0, 1]);
    client.assignments = [{ topic: "t", partitions: [0] }];
    client.emit("consumer:group:rebalance");
    const hook = beforeJoin();
    await vi.waitFor(() => expect(log.at(-1)).toBe("revoking 1"));
    drained();
    expect([...(await hook)]).toEqual([0, 0, 0, 1]);
  });

  it("gives up at once what it has when the group does not know it any more", async () => {
    const { client, log, membership, join, beforeJoin, drained } = member();
    await join(0, 1);
    client.memberId = null;
    const hook = beforeJoin();
    await vi.waitFor(() => expect(log.at(-1)).toBe("lost 0,1"));
    await expect(membership.commit(one)).rejects.toMatchObject({ code: "fenced" });
    drained();
    await hook;
    expect(client.commits).toEqual([]);
  });

  it("joins again after a join that failed, which the client tells and does not repeat", async () => {
    const { client, join } = member();
    await join(0);
    expect(client.joins).toBe(1);
    client.emit("error", Object.assign(new Error("lost"), { code: "PLT_KFK_NETWORK" }));
    await vi.waitFor(() => expect(client.joins).toBe(2), 5_000);
  });
});
