import { EventError } from "../../../core/errors.ts";
import type { ConformanceCase } from "../case.ts";
import { expectCode, expectEqual, expectSameSet, expectTrue } from "../expect.ts";
import { handled, members, numbers, type } from "./support.ts";

/** Request and reply, and how they fail. */
export const requests: readonly ConformanceCase[] = [
  {
    id: "request.reply",
    title: "a request gets the answer of its responder",
    needs: ["request"],
    core: true,
    async run(context) {
      const destination = await context.destination();
      const bus = await context.bus();
      await bus.respond(type, (event) => ({ twice: (event.data as { n: number }).n * 2 }), { destination });
      const reply = await bus.request(type, { n: 21 }, { destination });
      expectEqual([reply.data, reply.type], [{ twice: 42 }, `${type}.reply`], "the reply");
    },
  },
  {
    id: "request.concurrent",
    title: "of many requests at once each gets its own answer",
    needs: ["request"],
    core: true,
    async run(context) {
      const destination = await context.destination();
      const bus = await context.bus();
      await bus.respond(
        type,
        async (event) => {
          const { n } = event.data as { n: number };
          await context.pause((50 - n) / 5);
          return { n };
        },
        { destination, concurrency: 50 },
      );
      const replies = await Promise.all(
        numbers(50).map(async (n) => (await bus.request(type, { n }, { destination })).data),
      );
      expectEqual(
        replies,
        numbers(50).map((n) => ({ n })),
        "replies",
      );
    },
  },
  {
    id: "request.no-responders",
    title: "a request that nobody listens to fails at once",
    needs: ["request"],
    core: true,
    async run(context) {
      const destination = await context.destination();
      const bus = await context.bus();
      const before = Date.now();
      await expectCode(() => bus.request(type, {}, { destination, timeoutMs: 30_000 }), "no-responders", "the request");
      expectTrue(Date.now() - before < 10_000, "it took as long as a time-out");
    },
  },
  {
    id: "request.timeout",
    title: "a request whose answer does not come fails with a time-out",
    needs: ["request"],
    core: true,
    async run(context) {
      const destination = await context.destination();
      const bus = await context.bus();
      await bus.respond(type, () => context.pause(1_500), { destination });
      await expectCode(() => bus.request(type, {}, { destination, timeoutMs: 100 }), "timeout", "the request");
    },
  },
  {
    id: "request.aborted",
    title: "an aborted request fails at once",
    needs: ["request"],
    core: true,
    async run(context) {
      const destination = await context.destination();
      const bus = await context.bus();
      await bus.respond(type, () => context.pause(1_000), { destination });
      const abort = new AbortController();
      const request = (): unknown => bus.request(type, {}, { destination, signal: abort.signal });
      const asking = handled(expectCode(request, "aborted", "the request"));
      await context.pause(50);
      abort.abort();
      await asking;
    },
  },
  {
    id: "request.failure",
    title: "a responder that fails is told by its code, without what its error said",
    needs: ["request"],
    core: true,
    async run(context) {
      const destination = await context.destination();
      const bus = await context.bus();
      const fail = (): never => {
        throw new EventError("denied", "the secret of the responder");
      };
      await bus.respond(type, fail, { destination });
      const error = await expectCode(() => bus.request(type, {}, { destination }), "remote-error", "the request");
      expectTrue(String(error.message).includes("denied"), "the code does not stand in the message");
      expectTrue(!JSON.stringify([error.message, error.cause]).includes("secret"), "the message crossed the wire");
    },
  },
  {
    id: "request.shared",
    title: "of responders in one group one answers each request",
    needs: ["request", "groups"],
    core: true,
    async run(context) {
      const destination = await context.destination();
      const buses = await members(context, 2);
      const handled: string[] = [];
      for (const bus of buses) {
        const answer = (event: { data: unknown }): unknown => {
          const { n } = event.data as { n: number };
          handled.push(String(n));
          return { n };
        };
        await bus.respond(type, answer, { destination, group: "responders" });
      }
      const asking = await context.bus();
      for (const n of numbers(20)) await asking.request(type, { n }, { destination });
      await context.pause(50);
      expectSameSet(handled, numbers(20).map(String), "handled requests");
    },
  },
  {
    id: "request.refused",
    title: "requests are refused where the transport has none",
    lacks: ["request"],
    core: true,
    async run(context) {
      const destination = await context.destination();
      const bus = await context.bus();
      await expectCode(() => bus.request(type, {}, { destination }), "unsupported", "the request");
      await expectCode(() => bus.respond(type, () => ({}), { destination }), "unsupported", "the responder");
    },
  },
];
