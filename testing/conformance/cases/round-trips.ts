import { cloudEventsStructured } from "../../../core/codec/cloudevents-structured.ts";
import { envelope } from "../../../core/codec/envelope.ts";
import type { PublishOptions } from "../../../core/options.ts";
import type { Recorded } from "../../recorder.ts";
import type { ConformanceCase, ConformanceContext } from "../case.ts";
import { expectEqual, expectTrue } from "../expect.ts";
import { consumeRaw, listening, rawMessage, type } from "./support.ts";

/** Publishes one event and returns it as a handler got it. */
async function roundTrip(context: ConformanceContext, data: unknown, options: PublishOptions = {}): Promise<Recorded> {
  const destination = await context.destination();
  const bus = await context.bus({ limits: { maxEventBytes: 4_194_304 } });
  const got = context.recorder();
  await bus.subscribe(type, got.handler, { destination });
  await bus.publish(type, data, { destination, ...options });
  return (await got.waitFor(1))[0]!;
}

/** Nothing of an event is lost or changed on the way. */
export const roundTrips: readonly ConformanceCase[] = [
  {
    id: "round-trip.json",
    title: "every kind of JSON arrives as it was",
    core: true,
    async run(context) {
      const { bus, destination, got } = await listening(context);
      const values = [
        { a: { b: [1, "2", null] } },
        [],
        {},
        "text",
        "",
        0,
        -1.5e-7,
        true,
        false,
        "\u0000\u2028\ud83d\ude00",
      ];
      // One after the other: what carries no key need not keep its order.
      for (const [n, data] of values.entries()) {
        await bus.publish(type, data, { destination });
        await got.waitFor(n + 1);
      }
      expectEqual(got.data, values, "data");
    },
  },
  {
    id: "round-trip.no-data",
    title: "an event without data arrives without data",
    core: true,
    async run(context) {
      const { event } = await roundTrip(context, undefined);
      expectEqual([event.data === undefined, event.type], [true, type], "no data");
    },
  },
  {
    id: "round-trip.binary",
    title: "bytes arrive as they were, all 256 of them",
    core: true,
    async run(context) {
      const data = Uint8Array.from({ length: 1_024 }, (_, n) => n % 256);
      const { event } = await roundTrip(context, data, { datacontenttype: "application/octet-stream" });
      expectTrue(event.data instanceof Uint8Array, "data is no Uint8Array");
      expectEqual([event.data, event.datacontenttype], [data, "application/octet-stream"], "data");
    },
  },
  {
    id: "round-trip.empty-binary",
    title: "an empty body arrives as an empty body",
    core: true,
    async run(context) {
      const { event } = await roundTrip(context, new Uint8Array(), { datacontenttype: "application/octet-stream" });
      const length = event.data === undefined ? 0 : (event.data as Uint8Array).length;
      expectEqual(length, 0, "bytes");
    },
  },
  {
    id: "round-trip.large",
    title: "a body near the transport's bound, at most 1 MiB, arrives whole",
    core: true,
    async run(context) {
      const bytes = Math.min(context.capabilities.maxMessageBytes, 1_048_576) - 4_096;
      const data = Uint8Array.from({ length: bytes }, (_, n) => (n * 31) % 256);
      const { event } = await roundTrip(context, data, { datacontenttype: "application/octet-stream" });
      const got = event.data as Uint8Array;
      expectEqual([got.length, got.every((byte, n) => byte === data[n])], [bytes, true], "length and content");
    },
  },
  {
    id: "round-trip.attributes",
    title: "attributes arrive as they were: nanoseconds, unicode, extensions of every kind",
    core: true,
    async run(context) {
      const given = {
        id: "id with spaces / % & ünïcödé",
        time: "2026-01-02T03:04:05.123456789+01:00",
        subject: "Größe ✓ 日本 😀 100%",
        dataschema: "https://example.com/schema?x=1#y",
        extensions: { text: "é ✓ %41", number: -7, flag: true, constructor: "c", hasownproperty: "h" },
      };
      const { event } = await roundTrip(context, { n: 1 }, given);
      const { id, time, subject, dataschema } = event;
      const { extensions, ...attributes } = given;
      expectEqual({ id, time, subject, dataschema }, attributes, "attributes");
      // Headers are text.
      for (const [name, value] of Object.entries(extensions)) {
        expectEqual(String(event.extensions[name]), String(value), `extension ${name}`);
      }
      expectEqual(Object.getPrototypeOf(event.extensions), null, "the prototype of extensions");
    },
  },
  {
    id: "round-trip.headers",
    title: "own headers arrive, empty ones and long ones too, and names match without regard to case",
    core: true,
    async run(context) {
      const headers = { "X-Tenant": "a=b; c", "x-empty": "", "x-long": "v".repeat(8_000), constructor: "own" };
      const { delivery } = await roundTrip(context, { n: 1 }, { headers });
      for (const [name, value] of Object.entries(headers)) expectEqual(delivery.headers.get(name), value, name);
      expectEqual(delivery.headers.get("x-tenant"), headers["X-Tenant"], "another case");
      expectEqual(delivery.headers.get("x-absent"), undefined, "a header that is not there");
    },
  },
  {
    id: "round-trip.unicode-header",
    title: "header values of any script arrive as they were",
    core: true,
    async run(context) {
      const headers = { "x-text": "Größe ✓ 日本 😀" };
      const { delivery } = await roundTrip(context, { n: 1 }, { headers });
      expectEqual(delivery.headers.get("x-text"), headers["x-text"], "the value");
    },
  },
  {
    id: "round-trip.repeated-header",
    title: "a header given twice arrives twice, in its order, also where a value was bytes",
    core: true,
    async run(context) {
      const destination = await context.destination();
      const client = await context.client();
      const { deliveries } = await consumeRaw(client, { destinations: [destination] }, 10);
      const headers = ["x-a", "1", "x-b", "z", "x-a", new TextEncoder().encode("2 ✓")];
      await client.transport.publish([rawMessage(destination, "body", { headers })]);
      await context.until("the message", () => deliveries.length === 1);
      const carrier = deliveries[0]!.message.headers;
      expectEqual(
        [carrier.getAll("x-a"), carrier.get("x-a"), carrier.getAll("x-b")],
        [["1", "2 ✓"], "1", ["z"]],
        "values",
      );
      await deliveries[0]!.settle({ kind: "ack" });
    },
  },
  {
    id: "round-trip.hostile-names",
    title: "names of Object.prototype are names like any other, and nothing is polluted",
    core: true,
    async run(context) {
      const destination = await context.destination();
      const client = await context.client();
      const { deliveries } = await consumeRaw(client, { destinations: [destination] }, 10);
      const headers = ["__proto__", "polluted", "constructor", "c", "toString", "t"];
      await client.transport.publish([rawMessage(destination, '{"__proto__":{"polluted":1}}', { headers })]);
      await context.until("the message", () => deliveries.length === 1);
      const carrier = deliveries[0]!.message.headers;
      expectEqual([carrier.get("__proto__"), carrier.get("constructor")], ["polluted", "c"], "values");
      expectEqual(({} as Record<string, unknown>).polluted, undefined, "Object.prototype");
      await deliveries[0]!.settle({ kind: "ack" });
    },
  },
  {
    id: "round-trip.key",
    title: "the ordering key arrives with its event",
    core: true,
    async run(context) {
      const { delivery, event } = await roundTrip(context, { n: 1 }, { key: "order-7 ✓" });
      expectEqual([delivery.key, event.extensions.partitionkey], ["order-7 ✓", "order-7 ✓"], "the key");
    },
  },
  {
    id: "round-trip.codecs",
    title: "every codec's events are read, whatever the reader would write",
    core: true,
    async run(context) {
      const { bus, destination, got } = await listening(context);
      const data = { n: 1, text: "✓" };
      for (const [n, codec] of [cloudEventsStructured(), envelope()].entries()) {
        const writer = await context.bus({ codec, client: bus.client });
        await writer.publish(type, data, { destination, id: `codec-${n}` });
        await got.waitFor(n + 1);
      }
      expectEqual(
        [got.ids, got.data],
        [
          ["codec-0", "codec-1"],
          [data, data],
        ],
        "events",
      );
    },
  },
];
