import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createEventBus, type EventError, type Transport } from "waybill";
import type { StreamSpec } from "waybill/jetstream";
import { type JetStreamSetup, startJetStream } from "../adapters/jetstream/setup.ts";
import type { ChaosBus } from "./places.ts";
import { careless, goesRound, ownWildcard, severalGroups, swallowed } from "./same-stream-cases.ts";
import { report } from "./support/chaos.ts";

let js: JetStreamSetup;
beforeAll(async () => {
  js = await startJetStream();
});
afterAll(() => js?.[Symbol.asyncDispose]());

/** A bus on streams of its own; fails at the end for whatever was reported beside failed handlers. */
async function on(
  streams: readonly StreamSpec[],
  work: (bus: ChaosBus, transport: Transport) => Promise<void>,
  wrap: (transport: Transport) => Transport = (transport) => transport,
): Promise<void> {
  const transport = await js.transport({ streams });
  const bus = createEventBus({ source: "/chaos", transports: { on: wrap(transport) } });
  const errors: EventError[] = [];
  bus.onError((error) => {
    if (error.code !== "handler-failed") errors.push(error);
  });
  await work(bus, transport);
  expect(errors).toEqual([]);
  await bus.close();
}

const names = async (): Promise<string[]> => {
  const found: string[] = [];
  for await (const name of js.manager.streams.names()) found.push(name);
  return found;
};

describe("letters and copies in one stream, within one duplicate window", () => {
  test("none is taken for its event, another letter or an earlier copy, however often it goes round", () =>
    on([{ name: "SAME", subjects: ["same.orders", "same.failed"] }], async (bus, transport) => {
      report(3, "JetStream, letters in the stream of the events", {
        ...(await goesRound(bus, transport, "same.orders", "same.failed")),
        swallowed: 0,
      });
      expect((await js.manager.streams.info("SAME")).state.messages).toBe(20 + 2 * 3 * 20);
    }));

  test("all letters are swallowed where they carry the id of their event: the control", () =>
    on(
      [{ name: "CARELESS", subjects: ["careless.orders", "careless.failed"] }],
      async (bus) => {
        expect(await swallowed(bus, "careless.orders", "careless.failed")).toBe(0);
      },
      careless,
    ));
});

describe("letters under the subscriber's own wildcard", () => {
  test.each([
    ["beside the stream's subjects", "star", ["star.*"], "star.placed", "star.placed.dlq"],
    ["where the stream takes everything below", "rest", ["rest.>"], "rest.placed", "dlq.rest.placed"],
  ])(
    "%s: nobody handles them, there is no loop, and no letters of letters",
    async (_, first, subjects, at, letters) => {
      const name = first.toUpperCase();
      await on([{ name, subjects }], async (bus, transport) => {
        const figures = await ownWildcard(bus, transport, `${first}.>`, at);
        report(3, `JetStream, subscriber on ${first}.>, letters at ${letters}`, { ...figures, "letters handled": 0 });
        const found: string[] = [];
        for await (const { destination } of transport.read!({ destination: letters })) found.push(destination);
        expect(new Set(found)).toEqual(new Set([letters]));
        expect(found.length).toBe(20);
        expect((await names()).filter((each) => /DLQ.*DLQ/.test(each))).toEqual([]);
      });
    },
  );
});

test("of several groups those that failed get one letter and one copy each, and the others nothing", () =>
  on([{ name: "GROUPS", subjects: ["groups.orders"] }], async (bus, transport) => {
    report(3, "JetStream, three groups", await severalGroups(bus, transport, "groups.orders"));
  }));
