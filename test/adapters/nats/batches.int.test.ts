import { connect } from "@nats-io/transport-node";
import { expect, test, vi } from "vitest";
import { createEventBus, EventError } from "waybill";
import { natsTransport } from "waybill/nats";
import { startNatsServer } from "../../support/nats-server.ts";

test("batches over core NATS: full ones at once, the rest when the bus closes, failed events once", async () => {
  await using server = await startNatsServer();
  const connection = await connect({ servers: server.url });
  const bus = createEventBus({ source: "/t", transports: { nats: natsTransport({ connection }) } });
  const errors: EventError[] = [];
  bus.onError((error) => errors.push(error));
  const batches: number[][] = [];
  await bus.subscribe(
    "order.placed",
    async (entries) => {
      batches.push(entries.map(({ event }) => (event.data as { n: number }).n));
      entries[3]?.delivery.fail(new Error("not this one"));
    },
    { group: "g", batch: { maxEvents: 50, maxWaitMs: 60_000 } },
  );
  const items = Array.from({ length: 120 }, (_, n) => ({ type: "order.placed", data: { n } }));
  for (const result of await bus.publishAll(items)) expect(result).not.toBeInstanceOf(EventError);
  await vi.waitFor(() => expect(batches).toHaveLength(2), { timeout: 30_000 });
  expect(await bus.close()).toEqual({ unsent: 0, unsettled: 0 });
  expect(batches.map(({ length }) => length)).toEqual([50, 50, 20]);
  expect(batches.flat()).toEqual(items.map(({ data }) => data.n));
  expect(errors.map((error) => error.message)).toEqual(Array(3).fill("not this one"));
  await connection.close();
});
