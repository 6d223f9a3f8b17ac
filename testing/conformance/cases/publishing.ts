import type { ConformanceCase } from "../case.ts";
import { expectCode, expectEqual, expectSameSet, expectTrue } from "../expect.ts";
import { listening, numbers, numbersIn, publishNumbers, rawMessage, type } from "./support.ts";

/** What `publish`, `publishAll` and `post` promise. */
export const publishing: readonly ConformanceCase[] = [
  {
    id: "publish.receipt",
    title: "a receipt names the event, its destination, and its place where the broker keeps it",
    core: true,
    async run(context) {
      const destination = await context.destination();
      const bus = await context.bus();
      const receipt = await bus.publish(type, { n: 1 }, { destination, id: "e-1" });
      expectEqual([receipt.id, receipt.destination, receipt.attempts], ["e-1", destination, 1], "the receipt");
      const placed = receipt.sequence !== undefined || receipt.offset !== undefined;
      expectTrue(placed || !context.capabilities.durable, "the receipt of a durable transport has no position");
    },
  },
  {
    id: "publish.delivers",
    title: "a hundred events of one call arrive once each, with their own data and extensions",
    core: true,
    async run(context) {
      const { bus, destination, got } = await listening(context, { concurrency: 8 });
      const receipts = await publishNumbers(bus, destination, numbers(100), (n) => ({ extensions: { own: `x${n}` } }));
      await got.waitFor(100);
      await context.pause(50);
      expectSameSet(
        got.ids,
        receipts.map(({ id }) => id),
        "ids",
      );
      for (const { event } of got.received) {
        const n = receipts.findIndex(({ id }) => id === event.id);
        expectEqual([event.data, event.extensions.own], [{ n }, `x${n}`], `event ${n}`);
      }
    },
  },
  {
    id: "publish.concurrent",
    title: "events of twenty publishers at once all arrive",
    async run(context) {
      const destination = await context.destination();
      const bus = await context.bus();
      const sender = await context.bus();
      const got = context.recorder();
      await bus.subscribe(type, got.handler, { destination, concurrency: 16 });
      const work = numbers(20).map(async (publisher) => {
        for (const n of numbers(25)) await sender.publish(type, { n: publisher * 25 + n }, { destination });
      });
      await Promise.all(work);
      await got.waitFor(500);
      expectSameSet(numbersIn(got.data).map(String), numbers(500).map(String), "events");
    },
  },
  {
    id: "publish.partial-failure",
    title: "of several events the one that cannot be sent fails alone",
    core: true,
    async run(context) {
      const destination = await context.destination();
      const bus = await context.bus({ limits: { maxEventBytes: 2_000 } });
      const got = context.recorder();
      await bus.subscribe(type, got.handler, { destination });
      const results = await bus.publishAll([
        { type, data: { n: 0 }, destination },
        { type, data: { n: 1, filler: "x".repeat(4_000) }, destination },
        { type, data: { n: 2 }, destination: "not a destination" },
        { type, data: { n: 3 }, destination },
      ]);
      const outcomes = results.map((each) => (each instanceof Error ? (each as { code?: string }).code : "stored"));
      expectEqual(outcomes, ["stored", "too-large", "invalid-destination", "stored"], "the outcomes");
      await got.waitFor(2);
      expectSameSet(numbersIn(got.data).map(String), ["0", "3"], "events");
    },
  },
  {
    id: "publish.post",
    title: "posted events are delivered once each",
    core: true,
    async run(context) {
      const { bus, destination, got } = await listening(context, { concurrency: 8 });
      const accepted = numbers(50).filter((n) => bus.post(type, { n }, { destination }));
      await bus.flush();
      await got.waitFor(50);
      expectEqual([accepted.length, bus.errors], [50, []], "accepted events and errors");
      expectSameSet(numbersIn(got.data).map(String), numbers(50).map(String), "events");
    },
  },
  {
    id: "publish.aborted",
    title: "a signal that is aborted already keeps the event from being sent",
    core: true,
    async run(context) {
      const { bus, destination, got } = await listening(context);
      const signal = AbortSignal.abort();
      await expectCode(() => bus.publish(type, { n: 0 }, { destination, signal }), "aborted", "publish");
      await bus.publish(type, { n: 1 }, { destination });
      await got.waitFor(1);
      await context.pause(50);
      expectEqual(numbersIn(got.data), [1], "events");
    },
  },
  {
    id: "publish.after-close",
    title: "a closed transport refuses events as certainly not stored",
    core: true,
    async run(context) {
      const destination = await context.destination();
      const { transport } = await context.client();
      await transport.close();
      const [outcome] = await transport.publish([rawMessage(destination, "late")]);
      const { stored, error, ...rest } = outcome as { stored: boolean; error?: { code: string }; outcome?: string };
      expectEqual([stored, error?.code, rest.outcome], [false, "closed", "failed"], "the outcome");
    },
  },
  {
    id: "publish.invalid-destination",
    title: "destinations that could reach elsewhere are refused, and the client goes on",
    core: true,
    async run(context) {
      const destination = await context.destination();
      const bus = await context.bus();
      for (const hostile of ["", "a b", "a.*", "a.>", "a..b", ".a", "a.", "$SYS.a", "a\r\nPUB b 0", "a\u0000"]) {
        const what = `publishing to ${JSON.stringify(hostile)}`;
        await expectCode(() => bus.publish(type, {}, { destination: hostile }), "invalid-destination", what);
      }
      await bus.publish(type, {}, { destination });
    },
  },
  {
    id: "publish.invalid-header",
    title: "headers that could end their line are refused, and the client goes on",
    core: true,
    async run(context) {
      const destination = await context.destination();
      const bus = await context.bus();
      const refused = (name: string, value: string): Promise<unknown> =>
        expectCode(
          () => bus.publish(type, {}, { destination, headers: { [name]: value } }),
          "invalid-header",
          `the header ${JSON.stringify(name)}`,
        );
      await refused("x-a", "1\r\nx-b: 2");
      await refused("x-a", "\u0000");
      await refused("x a", "1");
      await refused("", "1");
      await bus.publish(type, {}, { destination });
    },
  },
  {
    id: "publish.reserved-header",
    title: "headers that the formats and brokers own are refused",
    core: true,
    async run(context) {
      const destination = await context.destination();
      const bus = await context.bus();
      for (const name of ["Nats-Msg-Id", "ce-id", "CE_type", "traceparent", "Baggage", "waybill-attempt"]) {
        const work = (): unknown => bus.publish(type, {}, { destination, headers: { [name]: "x" } });
        await expectCode(work, "reserved-header", `the header "${name}"`);
      }
    },
  },
  {
    id: "publish.too-large",
    title: "a message above the transport's bound is refused as certainly not stored, and the client goes on",
    core: true,
    async run(context) {
      const destination = await context.destination();
      const { maxMessageBytes } = context.capabilities;
      const bus = await context.bus({ limits: { maxEventBytes: maxMessageBytes * 2 } });
      const got = context.recorder();
      await bus.subscribe(type, got.handler, { destination });
      const large = "x".repeat(maxMessageBytes + 1);
      await expectCode(() => bus.publish(type, large, { destination }), "too-large", "publish");
      await bus.publish(type, { n: 1 }, { destination });
      await got.waitFor(1);
      expectEqual(numbersIn(got.data), [1], "events");
    },
  },
  {
    id: "publish.duplicate",
    title: "an event published twice is stored once, and the second receipt says so",
    needs: ["deduplication"],
    core: true,
    async run(context) {
      const { bus, destination, got } = await listening(context);
      const first = await bus.publish(type, { n: 0 }, { destination, id: "same" });
      const second = await bus.publish(type, { n: 0 }, { destination, id: "same" });
      await bus.publish(type, { n: 1 }, { destination });
      await got.waitFor(2);
      await context.pause(50);
      expectEqual([first.duplicate ?? false, second.duplicate], [false, true], "duplicates in the receipts");
      expectSameSet(numbersIn(got.data).map(String), ["0", "1"], "events");
    },
  },
  {
    id: "publish.duplicate-elsewhere",
    title: "the same event to another destination is no duplicate",
    needs: ["deduplication"],
    core: true,
    async run(context) {
      const [one, other] = [await context.destination(), await context.destination()];
      const bus = await context.bus();
      const got = context.recorder();
      await bus.subscribe(type, got.handler, { destination: one });
      await bus.subscribe(type, got.handler, { destination: other });
      await bus.publish(type, { n: 0 }, { destination: one, id: "same" });
      const { duplicate = false } = await bus.publish(type, { n: 0 }, { destination: other, id: "same" });
      await got.waitFor(2);
      expectEqual(duplicate, false, "duplicate in the second receipt");
    },
  },
  {
    id: "publish.duplicate-after-window",
    title: "after the window an id is new again",
    needs: ["deduplication", "shortWindow"],
    async run(context) {
      const { bus, destination, got } = await listening(context);
      await bus.publish(type, { n: 0 }, { destination, id: "same" });
      await context.pause(context.factory.duplicateWindowMs! + 1_000);
      const { duplicate = false } = await bus.publish(type, { n: 0 }, { destination, id: "same" });
      await got.waitFor(2);
      expectEqual(duplicate, false, "duplicate in the second receipt");
    },
  },
];
