import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { manifest } from "../../scripts/lib/entries.mjs";
import { runScript } from "./support/lint.ts";
import { installScripts, type Lock, usersPackages, withHost, withoutIntegrity } from "./support/lock-rules.ts";
import { root } from "./support/sources.ts";

const read = (file: string): Lock => JSON.parse(readFileSync(join(root, file), "utf8"));
const lock = read("package-lock.json");
const broken = read("test/fixtures/lock/package-lock.json");

/** What users install that runs a script then, and why it may. Both are optional peers. */
const allowedScripts = {
  "node_modules/@confluentinc/kafka-javascript":
    "loads or compiles the native client; other Kafka users take another driver",
  "node_modules/msw": "copies its service worker again where a project's package.json says so; for tests alone",
};

describe("package-lock.json", () => {
  test("holds every peer of the package", () => {
    const wanted = Object.keys(manifest.peerDependencies).map((peer) => `node_modules/${peer}`);
    expect(usersPackages(lock)).toEqual(expect.arrayContaining(wanted));
  });

  test("brings users no install script but the named ones", () => {
    expect(installScripts(lock)).toEqual(Object.keys(allowedScripts));
  });

  test("vouches for the content of every package", () => {
    expect(withoutIntegrity(lock)).toEqual([]);
  });

  test("names no registry's host", () => {
    expect(withHost(lock)).toEqual([]);
  });

  test("names the optional packages of every platform", () => {
    expect(runScript("scripts/complete-lock.mjs", "--check")).toContain("0 packages missing");
  });
});

describe("a fault of a lock file is found:", () => {
  test("an install script that a dependency's dependency or a peer brings", () => {
    expect(usersPackages(broken)).not.toContain("node_modules/unwanted");
    expect(installScripts(broken)).toEqual(["node_modules/peer", "node_modules/plain/node_modules/deep"]);
  });

  test("a package without integrity, unless it is a tool's binary for another platform", () => {
    expect(withoutIntegrity(broken)).toEqual(["node_modules/peer-linux", "node_modules/loose"]);
  });

  test("a registry's host", () => {
    expect(withHost(broken)).toEqual(["node_modules/plain"]);
  });

  test("an optional package that is not named", async () => {
    const { missingOptionals } = (await import(join(root, "scripts/lib/lockfile.mjs"))) as {
      missingOptionals(lock: Lock): { name: string; parent: string }[];
    };
    expect(missingOptionals(lock)).toEqual([]);
    expect(missingOptionals(broken).map(({ name }) => name)).toEqual(["absent", "tool-win32"]);
  });
});
