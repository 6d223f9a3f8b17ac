import { afterAll, beforeAll, expect, test } from "vitest";
import { createEventBus } from "waybill";
import { until } from "../nats/sink.ts";
import { type JetStreamSetup, startJetStream } from "./setup.ts";

let js: JetStreamSetup;
beforeAll(async () => {
  js = await startJetStream();
});
afterAll(() => js[Symbol.asyncDispose]());

test("a busy member takes no more than twice what it handles at once; the rest is for the others", async () => {
  await js.manager.streams.add({ name: "SHARED", subjects: ["shared.>"] });
  const member = async () => {
    const bus = createEventBus({ source: "/t", transports: { jetstream: await js.transport() } });
    return { bus, handled: [] as unknown[] };
  };
  const [busy, idle] = await Promise.all([member(), member()]);
  await idle.bus.publishAll(Array.from({ length: 40 }, (_, n) => ({ type: "shared.e", data: { n } })));
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const options = { group: "g", concurrency: 2 };
  await busy.bus.subscribe(
    "shared.e",
    async ({ data }) => {
      busy.handled.push(data);
      await held;
    },
    options,
  );
  await until(() => busy.handled.length === 2);
  await idle.bus.subscribe("shared.e", ({ data }) => void idle.handled.push(data), options);
  await until(() => idle.handled.length === 36);
  expect([busy.handled.length, idle.handled.length]).toEqual([2, 36]);
  release();
  await until(() => busy.handled.length === 4);
  for (const { bus } of [busy, idle]) expect(await bus.close()).toEqual({ unsent: 0, unsettled: 0 });
});
