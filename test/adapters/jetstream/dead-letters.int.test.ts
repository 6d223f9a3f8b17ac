import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { IncomingMessage } from "../../../core/message.ts";
import type { DestinationSpec, Transport } from "../../../core/transport.ts";
import { collectingSink, until } from "../nats/sink.ts";
import { type JetStreamSetup, message, startJetStream } from "./setup.ts";

let js: JetStreamSetup;
beforeAll(async () => {
  js = await startJetStream();
});
afterAll(() => js[Symbol.asyncDispose]());

const letters = (source: string, destination?: string): DestinationSpec => ({
  role: "dead-letter",
  source,
  destination,
});

async function bodies(transport: Transport, destination: string, from?: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { body } of transport.read!({ destination, from })) found.push(new TextDecoder().decode(body!));
  return found;
}

describe("dead letters on JetStream", () => {
  test.each([
    ["PLAIN", ["plain.*"], "plain.placed", "plain.placed.dlq", ["plain.*.dlq"]],
    ["REST", ["rest.>"], "rest.a.b", "dlq.rest.a.b", ["dlq.rest.>"]],
    ["BOTH", ["both", "both.*"], "both", "dlq.both", ["both.*.dlq", "dlq.both"]],
  ])("of %s have a stream of their own, with the name, storage and window of its source", async (...given) => {
    const [name, subjects, destination, of, all] = given;
    await js.manager.streams.add({
      name,
      subjects,
      retention: "workqueue",
      storage: "memory",
      max_age: 3_600e9,
      duplicate_window: 60e9,
    });
    const transport = await js.transport();
    const source = subjects.at(-1)!;
    const provided = await transport.ensure!(letters(source));
    expect(await transport.ensure!(letters(destination))).toMatchObject({ destinations: [of] });
    expect(provided.of(destination)).toBe(of);
    const { config } = await js.manager.streams.info(`${name}_DLQ`);
    expect(config.subjects.sort()).toEqual(all);
    expect(config).toMatchObject({ retention: "limits", storage: "memory", max_age: 0, duplicate_window: 60e9 });
    expect(config.metadata).toMatchObject({ "waybill-role": "dead-letter", "waybill-source": name });
    await transport.publish([message(destination, "event"), message(provided.of(destination), "letter")]);
    const { destinations } = await transport.ensure!(letters(destination));
    for (const each of destinations) expect(await bodies(transport, each)).toEqual(["letter"]);
    await transport.close();
  });

  test("of partitions have none themselves", async () => {
    const streams = [{ name: "PARTS", subjects: ["parts.>"], partitions: 3 }];
    const transport = await js.transport({ streams });
    const { destinations, of } = await transport.ensure!(letters("parts.a"));
    expect([destinations, of("parts.a")]).toEqual([["dlq.parts.a"], "dlq.parts.a"]);
    await transport.publish([
      message("parts.a", "event", { key: "k" }),
      message("dlq.parts.a", "letter", { key: "k" }),
    ]);
    expect(await bodies(transport, "dlq.parts.>")).toEqual(["letter"]);
    await transport.close();
  });

  test("of several streams lie in several", async () => {
    await js.manager.streams.add({ name: "SEV1", subjects: ["sev.one"] });
    await js.manager.streams.add({ name: "SEV2", subjects: ["sev.two.>"] });
    const transport = await js.transport();
    const { destinations, of } = await transport.ensure!(letters("sev.>"));
    expect([...destinations].sort()).toEqual(["dlq.sev.two.>", "sev.one.dlq"]);
    expect([of("sev.one"), of("sev.two.x")]).toEqual(["sev.one.dlq", "dlq.sev.two.x"]);
    await transport.close();
  });

  test("do not come to who subscribes with wildcards", async () => {
    const transport = await js.transport();
    await js.manager.streams.add({ name: "WILD", subjects: ["wild.*"] });
    const { of } = await transport.ensure!(letters("wild.*"));
    const sink = collectingSink();
    (await transport.consume({ destinations: ["wild.>"], group: "g", from: "earliest" }, sink)).credit(9);
    await transport.publish([message(of("wild.a"), "letter"), message("wild.a", "event")]);
    await until(() => sink.deliveries.length > 0);
    expect(sink.bodies()).toEqual(["event"]);
    expect(await bodies(transport, of("wild.a"))).toEqual(["letter"]);
    await transport.close();
  });

  test("are extended when their stream got new subjects, by any number of members at once", async () => {
    await js.manager.streams.add({ name: "GROWS", subjects: ["grows.a"] });
    const transport = await js.transport();
    await transport.ensure!(letters("grows.a"));
    await js.manager.streams.update("GROWS", { subjects: ["grows.a", "grows.b.>"] });
    const members = await Promise.all([1, 2, 3, 4].map(() => js.transport()));
    await Promise.all(members.map((each) => each.ensure!(letters("grows.b.x"))));
    const { config } = await js.manager.streams.info("GROWS_DLQ");
    expect(config.subjects.sort()).toEqual(["dlq.grows.b.>", "grows.a.dlq"]);
    expect(await transport.publish([message("dlq.grows.b.x", "1")])).toMatchObject([{ stored: true }]);
    for (const each of [transport, ...members]) await each.close();
  });

  test("are refused by a stream that would not keep them, or is somebody else's and lacks a subject", async () => {
    const transport = await js.transport();
    const mismatch = (text: string) => ({ code: "configuration-mismatch", message: expect.stringContaining(text) });
    await js.manager.streams.add({ name: "BAD", subjects: ["bad.a"] });
    await js.manager.streams.add({ name: "BAD_DLQ", subjects: ["bad.a.dlq"], retention: "workqueue" });
    await expect(transport.ensure!(letters("bad.a"))).rejects.toMatchObject(mismatch("BAD_DLQ has retention"));
    await js.manager.streams.add({ name: "LAST", subjects: ["last.a"] });
    await js.manager.streams.add({ name: "LAST_DLQ", subjects: ["last.a.dlq"], max_msgs_per_subject: 1 });
    await expect(transport.ensure!(letters("last.a"))).rejects.toMatchObject(mismatch("max_msgs_per_subject"));
    await js.manager.streams.add({ name: "OTHERS", subjects: ["others.a", "others.b"] });
    await js.manager.streams.add({ name: "OTHERS_DLQ", subjects: ["others.a.dlq"] });
    await expect(transport.ensure!(letters("others.a"))).rejects.toMatchObject(mismatch("OTHERS_DLQ has subjects"));
    expect((await js.manager.streams.info("OTHERS_DLQ")).config.subjects).toEqual(["others.a.dlq"]);
    await js.manager.streams.add({ name: "CLASH", subjects: ["clash.a"] });
    await js.manager.streams.add({ name: "TAKES", subjects: ["clash.*.dlq"] });
    await expect(transport.ensure!(letters("clash.a"))).rejects.toMatchObject(mismatch("another stream takes"));
    await transport.close();
  });

  test("may be kept by a stream that somebody made", async () => {
    const transport = await js.transport();
    await js.manager.streams.add({ name: "MADE", subjects: ["made.a"] });
    await js.manager.streams.add({ name: "MADE_DLQ", subjects: ["made.>"].map(() => "made.*.dlq"), max_age: 1e15 });
    expect(await transport.ensure!(letters("made.a"))).toMatchObject({ destinations: ["made.a.dlq"] });
    await transport.close();
  });

  test("go to one destination where it is given: into its stream, or one that is made for it", async () => {
    const transport = await js.transport();
    await js.manager.streams.add({ name: "GIVEN", subjects: ["given.>"], storage: "memory" });
    const provided = await transport.ensure!(letters("given.*", "failed.given"));
    expect([provided.destinations, provided.of("given.a")]).toEqual([["failed.given"], "failed.given"]);
    const { config } = await js.manager.streams.info("FAILED_GIVEN_DLQ");
    expect(config).toMatchObject({ subjects: ["failed.given"], retention: "limits", storage: "memory" });
    await transport.ensure!(letters("given.>", "failed.given"));
    await js.manager.streams.add({ name: "KEEPS", subjects: ["keeps"] });
    await transport.ensure!(letters("given.>", "keeps"));
    await expect(js.manager.streams.info("KEEPS_DLQ")).rejects.toThrow("stream not found");
    await js.manager.streams.add({ name: "GOES", subjects: ["goes"], retention: "interest" });
    await expect(transport.ensure!(letters("given.>", "goes"))).rejects.toMatchObject({
      code: "configuration-mismatch",
    });
    await expect(transport.ensure!(letters("given.>", "given.failed"))).rejects.toMatchObject({
      code: "invalid-destination",
      message: expect.stringContaining("would come back"),
    });
    // Of another transport's events.
    expect(await transport.ensure!(letters("somewhere.else", "failed.elsewhere"))).toMatchObject({
      destinations: ["failed.elsewhere"],
    });
    await transport.close();
  });

  test("have no place in a stream that takes everything, nor one of other roles", async () => {
    await using own = await startJetStream();
    const transport = await own.transport();
    await own.manager.streams.add({ name: "ALL", subjects: [">"], no_ack: true });
    await expect(transport.ensure!(letters("a"))).rejects.toMatchObject({ code: "unsupported" });
    for (const role of ["retry", "state"] as const) {
      await expect(transport.ensure!({ role, source: "a" })).rejects.toMatchObject({ code: "unsupported" });
    }
    await transport.close();
  });

  test("of a source that no stream has are refused as a subscription is", async () => {
    const transport = await js.transport();
    const refused = { code: "invalid-destination", retryable: true };
    await expect(transport.ensure!(letters("nobody.>"))).rejects.toMatchObject(refused);
    await expect(transport.ensure!(letters("a..b"))).rejects.toMatchObject({ ...refused, retryable: false });
    await transport.close();
  });
});

test("reading goes on from any position, over several streams as well", async () => {
  const transport = await js.transport();
  for (const name of ["pos.b", "pos.a", "pos.c"]) {
    await js.manager.streams.add({ name: name.replace(".", "_").toUpperCase(), subjects: [name] });
    await transport.publish([1, 2, 3].map((n) => message(name, `${name} ${n}`)));
  }
  const read = async (destination: string, from?: string): Promise<IncomingMessage[]> => {
    const found: IncomingMessage[] = [];
    for await (const each of transport.read!({ destination, from })) found.push(each);
    return found;
  };
  const one = await read("pos.a");
  expect(one.map(({ position }) => position)).toEqual(["1", "2", "3"]);
  expect(await bodies(transport, "pos.a", "2")).toEqual(["pos.a 2", "pos.a 3"]);
  const all = await read("pos.*");
  expect(all.map(({ position }) => position)).toEqual(
    ["A", "B", "C"].flatMap((name) => [1, 2, 3].map((n) => `POS_${name}/${n}`)),
  );
  const texts = await bodies(transport, "pos.*");
  for (const [n, { position }] of all.entries())
    expect(await bodies(transport, "pos.*", position)).toEqual(texts.slice(n));
  await transport.close();
});
