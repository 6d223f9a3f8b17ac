import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { headers } from "@nats-io/nats-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { StateStore } from "../../../core/transport.ts";
import { pause, until } from "../nats/sink.ts";
import { type JetStreamSetup, startJetStream } from "./setup.ts";

let js: JetStreamSetup;
beforeAll(async () => {
  js = await startJetStream();
});
afterAll(() => js[Symbol.asyncDispose]());

let count = 0;
async function open(ttlMs?: number): Promise<{ name: string; store: StateStore }> {
  const name = `store-${count++}`;
  const transport = await js.transport();
  return { name, store: await transport.openState!(name, { ttlMs }) };
}
async function all(store: StateStore): Promise<string[]> {
  const found: string[] = [];
  for await (const { key, value } of store.entries()) found.push(`${key}=${value}`);
  return found.sort();
}

describe("a store on JetStream", () => {
  test("writes where the revision is still the same", async () => {
    const { store } = await open();
    const first = await store.put("a.b=c", "1", 0);
    expect(first).toBeGreaterThan(0);
    expect(await store.put("a.b=c", "2", 0)).toBeUndefined();
    const second = await store.put("a.b=c", "ü 2", first!);
    expect(await store.put("a.b=c", "3", first!)).toBeUndefined();
    expect(await store.get("a.b=c")).toEqual({ value: "ü 2", revision: second });
    expect(await store.get("b")).toBeUndefined();
    await store.put("b", "", 0);
    expect(await store.get("b")).toMatchObject({ value: "" });
    expect(await all(store)).toEqual(["a.b=c=ü 2", "b="]);
  });

  test("has one winner of each round among eight writers", async () => {
    const { name, store } = await open();
    const writers = await Promise.all(Array.from({ length: 8 }, async () => (await js.transport()).openState!(name)));
    for (let round = 1, revision = 0; round <= 30; round++) {
      const won = (await Promise.all(writers.map((each, n) => each.put("k", `${round} ${n}`, revision)))).filter(
        Boolean,
      );
      expect(won).toHaveLength(1);
      revision = won[0]!;
      expect((await store.get("k"))!.revision).toBe(revision);
    }
  });

  test("removes where the revision is still the same, and begins anew", async () => {
    const { store } = await open();
    const first = (await store.put("a", "1", 0))!;
    expect(await store.delete("a", first + 1)).toBe(false);
    expect(await store.delete("a", 0)).toBe(false);
    expect(await store.delete("a", first)).toBe(true);
    expect(await store.delete("a", first)).toBe(true);
    expect([await store.get("a"), await all(store)]).toEqual([undefined, []]);
    const again = (await store.put("a", "2", 0))!;
    expect(again).toBeGreaterThan(first);
    expect(await store.put("a", "3", 0)).toBeUndefined();
    expect(await store.delete("a", first)).toBe(false);
    expect(await all(store)).toEqual(["a=2"]);
  });

  test("forgets what was written so long ago", async () => {
    const { store } = await open(1_000);
    const writtenMs = Date.now();
    const first = (await store.put("a", "1", 0))!;
    await store.put("b", "1", 0);
    await pause(600);
    await store.put("a", "2", first);
    expect(await all(store)).toEqual(["a=2", "b=1"]);
    // The server takes its time.
    while (await store.get("b")) await pause(20);
    expect(Date.now() - writtenMs).toBeGreaterThanOrEqual(1_000);
    expect(await store.put("b", "2", 0)).toBeGreaterThan(0);
    while ((await store.get("a")) || (await all(store)).length > 0) await pause(20);
    expect(Date.now() - writtenMs).toBeLessThan(6_000);
    expect(await store.put("a", "3", first)).toBeUndefined();
  });

  test("is verified when it is there, and refuses what could not be", async () => {
    const { name } = await open(60_000);
    const transport = await js.transport();
    const mismatch = { code: "configuration-mismatch", message: expect.stringContaining("max_age") };
    await expect(transport.openState!(name)).rejects.toMatchObject(mismatch);
    await expect(transport.openState!(name, { ttlMs: 1_000 })).rejects.toMatchObject(mismatch);
    const store = await transport.openState!(name, { ttlMs: 60_000 });
    await js.manager.streams.add({ name: "KV_history", subjects: ["$KV.history.>"], max_msgs_per_subject: 5 });
    await expect(transport.openState!("history")).rejects.toMatchObject({
      code: "configuration-mismatch",
      message: expect.stringContaining("max_msgs_per_subject"),
    });
    const refused = { code: "invalid-option" };
    for (const wrong of ["", "a.b", "a b", ">"])
      await expect(transport.openState!(wrong)).rejects.toMatchObject(refused);
    for (const ttlMs of [0, 99, Number.NaN])
      await expect(transport.openState!("x", { ttlMs })).rejects.toMatchObject(refused);
    for (const key of ["", ".a", "a.", "a..b", "a b", "a*", ">", "ä", "x".repeat(1_001)]) {
      await expect(store.get(key)).rejects.toMatchObject(refused);
      await expect(store.put(key, "1", 0)).rejects.toMatchObject(refused);
      await expect(store.delete(key, 1)).rejects.toMatchObject(refused);
    }
    await expect(store.put("a", "x".repeat(2_000_000), 0)).rejects.toMatchObject({
      code: "too-large",
      outcome: "failed",
    });
    await transport.close();
    await expect(store.get("a")).rejects.toMatchObject({ code: "closed" });
    await expect(store.put("a", "1", 0)).rejects.toMatchObject({ code: "closed", outcome: "failed" });
  });

  test("is a bucket as ADR-8 has it, which other clients write and read", async () => {
    const { name, store } = await open();
    const { config } = await js.manager.streams.info(`KV_${name}`);
    expect(config).toMatchObject({
      subjects: [`$KV.${name}.>`],
      retention: "limits",
      max_msgs_per_subject: 1,
      max_age: 0,
      max_msgs: -1,
      max_bytes: -1,
      max_msg_size: -1,
      storage: "file",
      num_replicas: 1,
      discard: "new",
      duplicate_window: 120e9,
      allow_rollup_hdrs: true,
      allow_direct: true,
      deny_delete: true,
      deny_purge: false,
    });
    const mine = (await store.put("mine", "1", 0))!;
    const found = await js.manager.streams.getMessage(`KV_${name}`, { last_by_subj: `$KV.${name}.mine` });
    expect([found!.string(), found!.seq, found!.header.get("KV-Operation")]).toEqual(["1", mine, ""]);
    await store.delete("mine", mine);
    const marker = await js.manager.streams.getMessage(`KV_${name}`, { last_by_subj: `$KV.${name}.mine` });
    expect([marker!.string(), marker!.header.get("KV-Operation")]).toEqual(["", "DEL"]);
    // As `nats kv put` and `nats kv purge` write.
    await js.connection.request(`$KV.${name}.theirs`, new TextEncoder().encode("2"));
    expect((await store.get("theirs"))!.value).toBe("2");
    const purge = headers();
    purge.set("KV-Operation", "PURGE");
    purge.set("Nats-Rollup", "sub");
    await js.connection.request(`$KV.${name}.theirs`, new Uint8Array(), { headers: purge, timeout: 2_000 });
    expect([await store.get("theirs"), await all(store)]).toEqual([undefined, []]);
    expect(await store.put("theirs", "3", 0)).toBeGreaterThan(0);
  });

  test("counts right among several writers while the server is killed again and again", async () => {
    const { name, store } = await open();
    const script = fileURLToPath(new URL("state-member.ts", import.meta.url));
    const times = 60;
    let running = 4;
    let ready = 0;
    const members = Array.from({ length: running }, async () => {
      const args = ["--import", "tsx", script, String(js.server.port), name, "n", String(times)];
      const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
      let last = "";
      for await (last of createInterface(child.stdout)) if (last === "ready") ready++;
      running--;
      return JSON.parse(last) as { surely: number; perhaps: number };
    });
    let kills = 0;
    await until(() => ready === running);
    for (; running > 0 && kills < 20; kills++) {
      await pause(150);
      await js.server.kill();
      await js.server.restart();
    }
    const counted = await Promise.all(members);
    const surely = counted.reduce((sum, each) => sum + each.surely, 0);
    const perhaps = counted.reduce((sum, each) => sum + each.perhaps, 0);
    const value = Number((await store.get("n"))!.value);
    console.log(`${kills} kills: ${surely} writes confirmed, ${perhaps} unknown, counted ${value}`);
    expect(value).toBeGreaterThanOrEqual(surely);
    expect(value).toBeLessThanOrEqual(surely + perhaps);
  }, 120_000);
});
