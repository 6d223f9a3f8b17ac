import { describe, expect, test } from "vitest";
import { EventError } from "waybill";
import { ensureConsumer } from "../../../adapters/jetstream/consumer.ts";
import { type OwnStream, provideStream } from "../../../adapters/jetstream/provide-stream.ts";
import { streamsOf } from "../../../adapters/jetstream/sources.ts";
import { contextOf, fakeApi, refusal } from "./fake-api.ts";

const wanted: OwnStream = { role: "dead-letter", name: "A_DLQ", subjects: ["a.dlq", "b.dlq"], retention: "limits" };
const own = { "waybill-role": "dead-letter" };

/** A FAKE server with one stream. */
function setUp(stream?: object) {
  let config = stream && { ...wanted, ...stream };
  return fakeApi((subject, body) => {
    const [, verb] = subject.split(".");
    if (verb === "INFO") return config ? { config } : refusal(10059);
    config = body as typeof config;
    return {};
  });
}
const changes = ({ asked }: ReturnType<typeof fakeApi>) => asked.filter(({ subject }) => !subject.includes("INFO"));

describe("a stream of the transport's own", () => {
  test("is made, marked as its own, and left alone afterwards", async () => {
    const server = setUp();
    for (let n = 0; n < 2; n++) await provideStream(server.api, wanted);
    expect(changes(server)).toMatchObject([{ subject: "STREAM.CREATE.A_DLQ", body: { metadata: own } }]);
  });
  test("is extended by the subjects that it lacks", async () => {
    const server = setUp({ subjects: ["a.dlq", "c.dlq"], metadata: own, max_age: 5 });
    await provideStream(server.api, wanted);
    expect(changes(server)).toMatchObject([
      { subject: "STREAM.UPDATE.A_DLQ", body: { subjects: ["a.dlq", "b.dlq", "c.dlq"], max_age: 5 } },
    ]);
  });
  test("is asked for again where it has no leader yet", async () => {
    const server = setUp({ metadata: own });
    let lost = 1;
    const request = server.api.request.bind(server.api);
    const api = {
      ...server.api,
      request: ((subject: string, body: unknown) =>
        lost-- > 0 ? Promise.reject(new EventError("timeout", "no answer")) : request(subject, body)) as typeof request,
    };
    await provideStream(api, wanted);
    expect(changes(server)).toEqual([]);
    lost = 2;
    await expect(provideStream(api, wanted)).rejects.toMatchObject({ code: "timeout" });
  });
  test.each([
    ["lacks a subject and is somebody else's", { subjects: ["a.dlq"], metadata: {} }],
    ["removes what was acknowledged", { retention: "workqueue", metadata: own }],
    ["removes the last but one of a subject", { max_msgs_per_subject: 1, metadata: own }],
  ])("is not one that %s", async (_, stream) => {
    const server = setUp(stream);
    await expect(provideStream(server.api, wanted)).rejects.toMatchObject({ code: "configuration-mismatch" });
    expect(changes(server)).toEqual([]);
  });
});

describe("a consumer that gives up after some deliveries", () => {
  const spec = { stream: "S", durable: "g", subjects: ["a"], from: "earliest" };
  const info = { name: "g", num_pending: 0, num_ack_pending: 0 };
  const { api } = fakeApi(() => ({
    ...info,
    config: { filter_subject: "a", ack_policy: "explicit", max_deliver: 2, ack_wait: 30e9 },
  }));
  test("is refused where nobody catches that", async () => {
    await expect(ensureConsumer(api, spec)).rejects.toMatchObject({ code: "configuration-mismatch" });
  });
  test("is taken where somebody does", async () => {
    expect(await ensureConsumer(api, { ...spec, mayGiveUp: true })).toMatchObject({ name: "g", made: false });
  });
});

test.each([
  ["a.>", ["A", "A_DLQ", "KV_x", "A_GIVEN_UP"], ["A"]],
  [">", ["KV_x", "OBJ_x", "A", "A_DLQ"], ["A"]],
  ["a.*.dlq", ["A", "A_DLQ", "A_GIVEN_UP"], ["A", "A_DLQ"]],
  ["dlq.a.>", ["A_DLQ"], ["A_DLQ"]],
  ["a.*", ["A_DLQ"], ["A_DLQ"]],
  ["a.dlq", ["A_DLQ"], ["A_DLQ"]],
])("%s on %j reaches %j", async (destination, streams, reached) => {
  const { api } = fakeApi(() => ({ streams }));
  expect(await streamsOf(contextOf(api), destination)).toEqual(reached);
});
