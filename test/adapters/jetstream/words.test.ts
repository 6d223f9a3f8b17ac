import { describe, expect, test } from "vitest";
import { AckSubject, isDelivery } from "../../../adapters/jetstream/ack-subject.ts";
import { jetstreamTransport, type StreamSpec, workQueueStream } from "../../../adapters/jetstream/index.ts";
import { createPartitions, destinationOf } from "../../../adapters/jetstream/partitions.ts";
import { parsePubAck } from "../../../adapters/jetstream/pub-ack.ts";
import { covers, fnv1a, widest } from "../../../adapters/jetstream/subjects.ts";
import { FakeServer } from "./fake-server.ts";

describe("subjects", () => {
  test.each([
    ["a.>", "a.b", true],
    ["a.>", "a.b.c", true],
    ["a.>", "a", false],
    ["a.>", "a.>", true],
    ["a.*", "a.>", false],
    ["a.*", "a.*", true],
    ["a.b", "a.*", false],
    ["*.b", "a.b", true],
    [">", "a", true],
    ["a.b", "a.b.c", false],
    ["a.b.c", "a.b", false],
  ])("%s covers %s: %s", (outer, inner, answer) => {
    expect(covers(outer, inner)).toBe(answer);
  });

  test("filters do not overlap", () => {
    expect(widest(["b", "a.*", "a.b", "b", "a.b.c"])).toEqual(["a.*", "a.b.c", "b"]);
  });

  test("hashes as the server's own partition mapping does", () => {
    // Values of the reference implementation of FNV-1a.
    expect([fnv1a(""), fnv1a("a"), fnv1a("foobar")]).toEqual([0x811c9dc5, 0xe40c292c, 0xbf9cf968]);
  });
});

describe("partitions", () => {
  const streams: StreamSpec[] = [
    { name: "A", subjects: ["a.>"], partitions: 4 },
    { name: "B", subjects: ["b"] },
  ];

  test("a key has one for ever, what has no key goes round, other streams have none", () => {
    const { place, count } = createPartitions(streams);
    expect(place("a.x", "foobar")).toEqual({ subject: `p.${0xbf9cf968 % 4}.a.x`, partition: 0xbf9cf968 % 4 });
    expect(place("a.x", "foobar")).toEqual(place("a.x", "foobar"));
    expect([1, 2, 3, 4, 5].map(() => place("a.x", undefined).partition)).toEqual([0, 1, 2, 3, 0]);
    expect(place("b", "k")).toEqual({ subject: "b", partition: undefined });
    expect([count("a.>"), count("a.x"), count("b"), count(">"), count("c")]).toEqual([4, 4, 0, 0, 0]);
  });

  test("a subject gives its destination back", () => {
    expect(destinationOf("p.12.a.p.3.x")).toEqual({ destination: "a.p.3.x", partition: 12 });
  });
});

describe("answers to a publish", () => {
  const answer = (body: string, code?: number) =>
    parsePubAck("s", {
      subject: "_INBOX.x",
      data: new TextEncoder().encode(body),
      headers: Object.assign(new Map<string, string[]>(), code === undefined ? {} : { code }),
    });

  test("stored, duplicate, refused for good and in passing", () => {
    expect(answer('{"stream":"S","domain":"d","seq":7}')).toEqual({ kind: "stored", sequence: 7, duplicate: false });
    expect(answer('{"stream":"S","seq":7,"duplicate":true}')).toMatchObject({ duplicate: true });
    const error = (code: number, err_code: number) =>
      answer(JSON.stringify({ error: { code, err_code, description: "why" }, stream: "S", seq: 0 }));
    expect(error(400, 10054)).toMatchObject({ kind: "refused", passing: false, error: { code: "too-large" } });
    expect(error(503, 10008)).toMatchObject({ passing: true, error: { code: "transport-failed", retryable: true } });
    expect(error(503, 10077)).toMatchObject({ passing: false, error: { retryable: true } });
    expect(error(400, 10071)).toMatchObject({ passing: false, error: { retryable: false } });
    expect(answer("", 503)).toMatchObject({ passing: true, error: { code: "no-responders" } });
  });

  test("what is no answer of JetStream is none", () => {
    for (const body of ["", "hello", "{}", '{"seq":1}', '{"stream":"S","seq":"1"}'])
      expect(answer(body)).toBeUndefined();
  });
});

describe("the reply subject of a delivery", () => {
  const tokens = "3.41.52.1795495350768506625.9";
  test.each([
    `$JS.ACK.S.c.${tokens}`,
    `$JS.ACK._.hash.S.c.${tokens}`,
    `$JS.ACK.hub.hash.S.c.${tokens}.random`,
    `$JS.ACK.S.c-1.${tokens}`,
    `$JS.ACK.S.c.${tokens}`,
  ])("%s", (subject) => {
    const { delivered, sequence, consumerSequence, timestampMs, pending } = new AckSubject(subject);
    expect([delivered, sequence, consumerSequence, timestampMs, pending]).toEqual([3, 41, 52, 1795495350768, 9]);
    expect(isDelivery(subject)).toBe(true);
  });

  test("the server's own words have none", () => {
    expect([isDelivery(""), isDelivery(undefined), isDelivery("_INBOX.x")]).toEqual([false, false, false]);
  });
});

describe("options of jetstreamTransport", () => {
  const connection = new FakeServer();
  test.each<[string, object, RegExp]>([
    ["a buffer of nothing", { buffer: { maxEvents: 0 } }, /buffer.maxEvents must be a whole number above 0/],
    ["a window of nothing", { buffer: { maxUnconfirmed: 0.5 } }, /buffer.maxUnconfirmed/],
    ["an ack wait below 1", { ackWaitMs: 0 }, /ackWaitMs/],
    ["no heartbeat", { heartbeatMs: -1 }, /heartbeatMs/],
    ["a stream without a legal name", { streams: [workQueueStream("a.b", ["a"])] }, /"a.b" is no name of a stream/],
    ["a stream without subjects", { streams: [{ name: "A", subjects: [] }] }, /stream A: subjects: at least one/],
    ["a subject that is none", { streams: [{ name: "A", subjects: ["a..b"] }] }, /no subject: "a..b"/],
    ["a reserved subject", { streams: [{ name: "A", subjects: ["$JS.>"] }] }, /no subject/],
    ["too many replicas", { streams: [{ name: "A", subjects: ["a"], replicas: 6 }] }, /replicas: 1 to 5, not 6/],
    ["no partitions", { streams: [{ name: "A", subjects: ["a"], partitions: 0 }] }, /stream A.partitions/],
    [
      "a short duplicate window",
      { streams: [{ name: "A", subjects: ["a"], duplicateWindowMs: 5 }] },
      /below buffer.maxAgeMs/,
    ],
    [
      "a long age",
      { buffer: { maxAgeMs: 130_000 }, streams: [{ name: "A", subjects: ["a"] }] },
      /duplicateWindowMs 120000/,
    ],
    [
      "two streams with a common subject",
      {
        streams: [
          { name: "A", subjects: ["a.>"] },
          { name: "B", subjects: ["a.b"] },
        ],
      },
      /A and B both take a.>/,
    ],
  ])("refuse %s", (_, options, text) => {
    const make = (): unknown => jetstreamTransport({ connection, ...options });
    expect(make).toThrow(expect.objectContaining({ code: "invalid-option", message: expect.stringMatching(text) }));
  });

  test("say what JetStream can do: order of keys is a matter of the destination", () => {
    const streams: StreamSpec[] = [{ name: "A", subjects: ["a.>"], partitions: 2 }];
    const { capabilities } = jetstreamTransport({ connection, streams });
    const { durable, redelivery, delayedRedelivery, groups, replay, deduplication, wildcards, request } = capabilities;
    expect([durable, redelivery, delayedRedelivery, groups, replay, deduplication, wildcards]).toEqual(
      Array(7).fill(true),
    );
    expect(request).toBeUndefined();
    const keyOrder = capabilities.keyOrder as (destination: string, group?: string) => boolean;
    expect([keyOrder("a.b", "g"), keyOrder("a.>", "g"), keyOrder("b", "g")]).toEqual([true, true, false]);
    // Nobody keeps the order for a reader of its own.
    expect(keyOrder("a.b")).toBe(false);
  });
});
