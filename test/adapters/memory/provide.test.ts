import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { DestinationSpec, Transport } from "waybill";
import { type MemoryTransportOptions, memoryTransport } from "waybill/memory";
import { fakeClock } from "waybill/testing";
import { consume, message } from "./sink.ts";

function setUp(options: MemoryTransportOptions = {}) {
  const clock = fakeClock();
  return { clock, transport: memoryTransport({ clock, partitions: 1, ...options }) };
}
async function destinationsOf(transport: Transport, destination: string): Promise<string[]> {
  const found: string[] = [];
  for await (const each of transport.read!({ destination })) found.push(each.destination);
  return found;
}

describe("a destination that is provided", () => {
  test.each<[DestinationSpec, string[], string]>([
    [{ role: "dead-letter", source: "order.placed" }, ["order.placed.dlq"], "order.placed.dlq"],
    [{ role: "dead-letter", source: "order.*" }, ["order.*.dlq"], "order.placed.dlq"],
    [{ role: "dead-letter", source: "order.>" }, ["order.>.dlq"], "order.placed.dlq"],
    [{ role: "retry", source: ">" }, [">.retry"], "order.placed.retry"],
    [{ role: "state", source: "order.placed" }, ["order.placed.state"], "order.placed.state"],
    [{ role: "dead-letter", source: "order.>", destination: "failed" }, ["failed"], "failed"],
  ])("for %j is %j", async (spec, destinations, one) => {
    const provided = await setUp().transport.ensure!(spec);
    expect([provided.destinations, provided.of("order.placed")]).toEqual([destinations, one]);
  });
  test("takes what belongs to each destination of its source, and nothing else", async () => {
    const token = fc.constantFrom("a", "b", "dlq");
    const destination = fc.array(token, { minLength: 1, maxLength: 4, size: "medium" }).map((each) => each.join("."));
    const source = fc.oneof(
      fc.array(fc.oneof(token, fc.constant("*")), { minLength: 1, maxLength: 3 }).map((each) => each.join(".")),
      fc.array(token, { maxLength: 2 }).map((each) => [...each, ">"].join(".")),
    );
    await fc.assert(
      fc.asyncProperty(source, fc.uniqueArray(destination, { minLength: 1 }), async (pattern, destinations) => {
        const { clock, transport } = setUp();
        const { destinations: letters, of } = await transport.ensure!({ role: "dead-letter", source: pattern });
        const belongs = await consume(transport, { destinations: [pattern] });
        await transport.publish(destinations.map((each) => message("x", { destination: each })));
        await clock.advance(0);
        const own = new Set(belongs.got.map((delivery) => delivery.message.destination));
        const rest = destinations.filter((each) => !own.has(each) && !each.endsWith(".dlq"));
        await transport.publish([...own, ...rest].map((each) => message("x", { destination: of(each) })));
        const found = new Set(await destinationsOf(transport, letters[0]!));
        expect([...found].filter((each) => !each.endsWith(".dlq"))).toEqual([]);
        for (const each of own) expect(found).toContain(of(each));
        for (const each of rest) expect(found).not.toContain(of(each));
      }),
      { numRuns: 300 },
    );
  });
  test("is there before its first message", async () => {
    const { clock, transport } = setUp();
    const { destinations } = await transport.ensure!({ role: "dead-letter", source: "orders" });
    const { got } = await consume(transport, { destinations, from: "new" });
    await transport.publish([message("x", { destination: "orders.dlq" })]);
    await clock.advance(0);
    expect(got).toHaveLength(1);
  });
  test("may be provided twice, for one role", async () => {
    const { transport } = setUp();
    const spec = { source: "orders", destination: "failed" };
    await transport.ensure!({ role: "dead-letter", ...spec });
    await transport.ensure!({ role: "dead-letter", ...spec });
    await expect(transport.ensure!({ role: "state", ...spec })).rejects.toMatchObject({
      code: "configuration-mismatch",
    });
  });
  test.each(["", "a..b", "a b"])("has no source %j", async (source) => {
    await expect(setUp().transport.ensure!({ role: "retry", source })).rejects.toMatchObject({
      code: "invalid-destination",
    });
  });
  test("has no name with a wildcard", async () => {
    const spec = { role: "dead-letter", source: "a", destination: "dlq.*" } as const;
    await expect(setUp().transport.ensure!(spec)).rejects.toMatchObject({ code: "invalid-destination" });
  });
  test("is none of a closed transport", async () => {
    const { transport } = setUp();
    await transport.close();
    await expect(transport.ensure!({ role: "retry", source: "a" })).rejects.toMatchObject({ code: "closed" });
  });
});

describe("a full partition", () => {
  test("of dead letters refuses more and forgets none", async () => {
    const { transport } = setUp({ maxMessages: 3 });
    await transport.ensure!({ role: "dead-letter", source: "order.>" });
    const letter = message("x", { destination: "order.placed.dlq" });
    const outcomes = await transport.publish(Array.from({ length: 4 }, () => letter));
    expect(outcomes.map(({ stored }) => stored)).toEqual([true, true, true, false]);
    expect(outcomes[3]).toMatchObject({ error: { code: "buffer-full" } });
    expect(await destinationsOf(transport, "order.>.dlq")).toHaveLength(3);
  });
  test("of a state keeps the last message of each key, for readers and for groups", async () => {
    const { clock, transport } = setUp({ maxMessages: 3 });
    await transport.ensure!({ role: "state", source: "orders" });
    const put = (key: string, body: string) => transport.publish([message(body, { destination: "orders.state", key })]);
    for (const [key, body] of ["b1", "a1", "a2", "a3", "a4", "c1"].entries()) await put(body[0]!, `${body}:${key}`);
    const bodies: string[] = [];
    const positions: string[] = [];
    for await (const { body, position } of transport.read!({ destination: "orders.state" })) {
      bodies.push(new TextDecoder().decode(body!));
      positions.push(position!);
    }
    expect(bodies).toEqual(["b1:0", "a4:4", "c1:5"]);
    expect(positions).toEqual(["0/0", "0/4", "0/5"]);
    const { bodies: got } = await consume(transport, { destinations: ["orders.state"], group: "g" });
    await clock.advance(0);
    expect(got()).toEqual(bodies);
    expect(await put("d", "d1")).toMatchObject([{ stored: false, error: { code: "buffer-full" } }]);
    await put("b", "b3");
    expect(await put("b", "b4")).toMatchObject([{ stored: false }]);
  });
  test("of a state with gaps is read from every offset, from the first message there or behind", async () => {
    const { transport } = setUp({ maxMessages: 4 });
    await transport.ensure!({ role: "state", source: "orders" });
    for (const key of ["a", "b", "b", "b", "b", "b", "c", "c"]) {
      await transport.publish([message("x", { destination: "orders.state", key })]);
    }
    const offsets = async (from: number) => {
      const found: number[] = [];
      for await (const { offset } of transport.read!({ destination: "orders.state", from: `0/${from}` })) {
        found.push(offset!);
      }
      return found;
    };
    const all = await offsets(0);
    expect(all.length).toBeLessThan(8);
    for (let from = 0; from < 9; from++) expect(await offsets(from)).toEqual(all.filter((offset) => offset >= from));
  });
});
