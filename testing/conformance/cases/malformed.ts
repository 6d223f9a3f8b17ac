import { defineEvents } from "../../../core/catalog.ts";
import type { StandardSchema } from "../../../core/schema.ts";
import type { ConformanceCase } from "../case.ts";
import { expectEqual, expectSameSet } from "../expect.ts";
import { listening, numbersIn, rawMessage, type } from "./support.ts";

/** Takes objects whose `n` is a number. */
const numbered: StandardSchema<{ n: number }> = {
  "~standard": {
    version: 1,
    vendor: "waybill",
    validate: (value) =>
      typeof (value as { n?: unknown } | null)?.n === "number"
        ? { value: value as { n: number } }
        : { issues: [{ message: "n must be a number" }] },
  },
};

/** What cannot be read or handled is reported once, and what comes behind it is handled. */
export const malformed: readonly ConformanceCase[] = [
  {
    id: "malformed.message",
    title: "messages that are no event are reported once each, and the next one is handled",
    core: true,
    async run(context) {
      const { bus, destination, got } = await listening(context);
      const ce = ["ce-specversion", "1.0", "ce_specversion", "1.0"];
      const hostile = [
        rawMessage(destination, "not json"),
        rawMessage(destination, Uint8Array.of(0xff, 0xfe, 0x00, 0x80)),
        rawMessage(destination, ""),
        rawMessage(destination, `${"[".repeat(5_000)}${"]".repeat(5_000)}`),
        rawMessage(destination, "{}", { headers: ce }),
        rawMessage(destination, '{"specversion":"1.0","id":7}', {
          headers: ["content-type", "application/cloudevents+json"],
        }),
      ];
      await bus.client.transport.publish(hostile);
      await context.until("a report of each", () => bus.errors.length >= hostile.length);
      await bus.publish(type, { n: 1 }, { destination });
      await got.waitFor(1);
      await context.pause(100);
      expectEqual(
        bus.errors,
        hostile.map(() => "malformed-message"),
        "reports",
      );
      expectEqual(numbersIn(got.data), [1], "events");
    },
  },
  {
    id: "malformed.data",
    title: "data that does not fit the schema is reported once and not tried again, and the next event is handled",
    core: true,
    async run(context) {
      const destination = await context.destination();
      const bus = await context.bus({ events: defineEvents({ [type]: { schema: numbered, destination } }) });
      const writer = await context.bus({ client: bus.client });
      const got = context.recorder();
      await bus.subscribe(type, got.handler);
      await writer.publish(type, { n: "wrong" }, { destination });
      await context.until("the report", () => bus.errors.length > 0);
      await writer.publish(type, { n: 2 }, { destination });
      await got.waitFor(1);
      await context.pause(1_200);
      await context.settled();
      expectEqual([bus.errors, numbersIn(got.data)], [["invalid-data"], [2]], "reports and events");
    },
  },
  {
    id: "malformed.unhandled-type",
    title: "events whose type nobody handles are done with, and the others are handled",
    core: true,
    async run(context) {
      const { bus, destination, got } = await listening(context);
      await bus.publish("conformance.other", { n: 0 }, { destination });
      await bus.publish(type, { n: 1 }, { destination });
      await got.waitFor(1);
      expectEqual([numbersIn(got.data), bus.errors], [[1], []], "events and errors");
    },
  },
  {
    id: "malformed.handler-throws",
    title: "whatever a handler throws is reported, and the other events are handled",
    core: true,
    async run(context) {
      const destination = await context.destination();
      const bus = await context.bus();
      const got = context.recorder();
      const thrown: unknown[] = ["text", undefined, Object.create(null), new Error("failed")];
      const failed = new Set<number>();
      await bus.subscribe(
        type,
        (event, delivery) => {
          const { n } = event.data as { n: number };
          if (n < thrown.length && !failed.has(n)) {
            failed.add(n);
            throw thrown[n];
          }
          got.handler(event, delivery);
        },
        { destination, concurrency: 8 },
      );
      for (const n of [0, 1, 2, 3, 4]) await bus.publish(type, { n }, { destination });
      const again = context.capabilities.redelivery ? [0, 1, 2, 3] : [];
      await got.waitFor(1 + again.length);
      expectEqual(bus.errors, ["handler-failed", "handler-failed", "handler-failed", "handler-failed"], "reports");
      expectSameSet(numbersIn(got.data).map(String), [...again, 4].map(String), "events");
    },
  },
];
