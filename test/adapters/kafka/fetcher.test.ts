import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Fetcher } from "../../../adapters/kafka/platformatic/fetcher.ts";
import type { EventError } from "../../../core/errors.ts";
import { batchOf, FakeVendorConsumer, fetched, layout } from "./fake-vendor.ts";

const KiB = 1024;
let client: FakeVendorConsumer;
let fetcher: Fetcher;
let failures: EventError[];

beforeEach(() => {
  client = new FakeVendorConsumer();
  client.layout = layout("t", 4);
  failures = [];
  fetcher = new Fetcher(client, (error) => void failures.push(error));
});
afterEach(() => fetcher.close());

const at = (partition: number, offset = 0): { topic: string; partition: number; offset: number } => ({
  topic: "t",
  partition,
  offset,
});
const asked = (n: number): number[] =>
  client.fetches[n]!.request.topics.flatMap((t) => t.partitions.map((p) => p.partition));
const until = (count: number): Promise<void> => vi.waitFor(() => expect(client.fetches.length).toBe(count));
const offsets = (max = 1_000): number[] => fetcher.take(max).map(({ offset }) => offset);
const quiet = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));

describe("a fetcher", () => {
  it("drops the records below its position that come with a whole batch, and goes on behind it", async () => {
    fetcher.add([at(0, 5)]);
    await until(1);
    client.fetches[0]!.answer(fetched("t", 0, [batchOf(2, 6)]));
    await until(2);
    expect(offsets()).toEqual([5, 6, 7]);
    expect(client.fetches[1]!.request.topics[0]!.partitions[0]!.fetchOffset).toBe(8n);
    expect(fetcher.watermarks(at(0))).toEqual({ low: 3, high: 100 });
  });

  it("asks for no more of a partition than it may hold, until that is taken", async () => {
    fetcher.add([at(0)]);
    await until(1);
    client.fetches[0]!.answer(fetched("t", 0, [batchOf(0, 3, 400 * KiB)]));
    await quiet();
    expect(client.fetches.length).toBe(1);
    expect(offsets(1)).toEqual([0]);
    await until(2);
  });

  it("leaves paused partitions out of requests and keeps what they hold until they are resumed", async () => {
    fetcher.add([at(0), at(1)]);
    await until(1);
    expect(asked(0)).toEqual([0, 1]);
    fetcher.pause([at(0)], true);
    client.fetches[0]!.answer(fetched("t", 0, [batchOf(0, 2)]));
    await until(2);
    expect(asked(1)).toEqual([1]);
    expect(offsets()).toEqual([]);
    fetcher.pause([at(0)], false);
    expect(offsets()).toEqual([0, 1]);
  });

  it("asks for what is committed as the client's own filter does not know, which drops some of it", async () => {
    fetcher.add([at(0)]);
    await until(1);
    const { isolationLevel } = client.fetches[0]!.request;
    expect([Number(isolationLevel), typeof isolationLevel]).toEqual([1, "string"]);
  });

  it("asks each broker once at a time", async () => {
    client.layout = layout("t", 4, [1, 2]);
    fetcher.add([at(0), at(1)]);
    await until(2);
    fetcher.add([at(2), at(3)]);
    await quiet();
    expect(client.fetches.map(({ request }) => request.node)).toEqual([1, 2]);
    client.fetches[0]!.answer({ responses: [] });
    await until(3);
    expect(asked(2)).toEqual([0, 2]);
  });

  it("drops what arrives for a partition that was taken away and given back to begin elsewhere", async () => {
    fetcher.add([at(0)]);
    await until(1);
    fetcher.remove([at(0)]);
    fetcher.add([at(0, 50)]);
    client.fetches[0]!.answer(fetched("t", 0, [batchOf(0, 3)]));
    await until(2);
    expect(offsets()).toEqual([]);
    expect(client.fetches[1]!.request.topics[0]!.partitions[0]!.fetchOffset).toBe(50n);
  });

  it("keeps what came beside a partition whose error rejects the whole fetch", async () => {
    fetcher.add([at(0), at(1)]);
    await until(1);
    const [one] = fetched("t", 0, [batchOf(0, 2)]).responses;
    const [other] = fetched("t", 1, [], 6).responses;
    const response = { responses: [{ topicId: "id-t", partitions: [...one!.partitions, ...other!.partitions] }] };
    client.fetches[0]!.fail(Object.assign(new Error("refused"), { response }));
    await vi.waitFor(() => expect(fetcher.ready).toBe(true));
    expect(offsets()).toEqual([0, 1]);
  });

  it("goes on with the oldest record where retention has removed its position", async () => {
    client.beginning = 30n;
    fetcher.add([at(0, 5)]);
    await until(1);
    client.fetches[0]!.fail(Object.assign(new Error("range"), { response: fetched("t", 0, [], 1) }));
    await until(2);
    expect(client.fetches[1]!.request.topics[0]!.partitions[0]!.fetchOffset).toBe(30n);
  });

  it("tries again after a lost connection, without end and without a word", async () => {
    fetcher.add([at(0)]);
    for (let n = 1; n <= 3; n++) {
      await until(n);
      client.fetches[n - 1]!.fail(Object.assign(new Error("lost"), { code: "PLT_KFK_NETWORK" }));
    }
    await until(4);
    expect(failures).toEqual([]);
  });
});
