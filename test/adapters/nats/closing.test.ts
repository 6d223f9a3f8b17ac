import { connect } from "@nats-io/transport-node";
import { expect, test } from "vitest";
import { createEventBus } from "waybill";
import { natsTransport } from "waybill/nats";
import { startEmbeddedNats } from "waybill/testing";
import { until } from "./sink.ts";

test("closing handles what core NATS would not deliver again", async () => {
  await using server = await startEmbeddedNats();
  const connection = await connect({ servers: server.url });
  const bus = createEventBus({ source: "/t", transports: { nats: natsTransport({ connection }) } });
  const handled: number[] = [];
  let begin: () => void = () => undefined;
  const allowed = new Promise<void>((resolve) => {
    begin = resolve;
  });
  await bus.subscribe("order.placed", async (event) => {
    await allowed;
    handled.push((event.data as { n: number }).n);
  });
  for (let n = 0; n < 20; n++) await bus.publish("order.placed", { n });
  const closing = bus.close();
  await until(() => handled.length === 0);
  begin();
  expect(await closing).toEqual({ unsent: 0, unsettled: 0 });
  expect(handled).toEqual(Array.from({ length: 20 }, (_, n) => n));
  await connection.close();
});
