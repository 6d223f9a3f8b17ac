import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { entries, manifest, peers } from "../../scripts/lib/entries.mjs";
import tsup from "../../tsup.config.ts";
import vitest from "../../vitest.config.ts";
import { runScript } from "./support/lint.ts";
import { root } from "./support/sources.ts";

type Names = Record<string, string>;

const readJson = (file: string): Record<string, never> => JSON.parse(readFileSync(join(root, file), "utf8"));
const deno = readJson("deno.json") as unknown as { name: string; version: string; exports: Names; imports: Names };

/** `waybill/nats` → `adapters/nats/index.ts`: what package.json says, and every other list has to repeat. */
const sources: Names = Object.fromEntries(entries.map(({ name, source }) => [name, source]));

const plain = (path: string): string => path.replace(root, "").replace(/^\.\//, "");

describe("entry points", () => {
  test.each(entries)("$name has its source $source", ({ source }) => {
    expect(existsSync(join(root, source))).toBe(true);
  });

  test("package.json names types beside every file", () => {
    for (const { dist, types } of entries) expect(types).toBe(dist.replace(/\.js$/, ".d.ts"));
  });

  test("deno.json exports the same subpaths", () => {
    const named = Object.entries(deno.exports).map(([subpath, path]) => [
      subpath.replace(/^\./, deno.name),
      plain(path),
    ]);
    expect(Object.fromEntries(named)).toEqual(sources);
  });

  test("deno.json maps the package's own names to the same sources", () => {
    const own = Object.entries(deno.imports).filter(([name]) => name === deno.name || name.startsWith(`${deno.name}/`));
    expect(Object.fromEntries(own.map(([name, path]) => [name, plain(path)]))).toEqual(sources);
  });

  test("tsconfig.json maps the same names", () => {
    const { config } = ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile);
    const paths = Object.entries(config.compilerOptions.paths as Record<string, string[]>);
    expect(Object.fromEntries(paths.map(([name, targets]) => [name, plain(targets.join())]))).toEqual(sources);
  });

  test("vitest.config.ts maps the same names", () => {
    const alias = vitest.resolve?.alias as { find: RegExp; replacement: string }[];
    const named = alias.map(({ find, replacement }) => [find.source.replaceAll(/[\\^$]/g, ""), plain(replacement)]);
    expect(Object.fromEntries(named)).toEqual(sources);
  });

  test("tsup.config.ts builds the same files", () => {
    const { entry } = tsup as { entry: Names };
    const built = Object.fromEntries(Object.entries(entry).map(([out, source]) => [`dist/${out}.js`, source]));
    expect(built).toEqual(Object.fromEntries(entries.map(({ dist, source }) => [dist, source])));
  });

  test("each has a size budget with a reason", () => {
    const budgets = readJson("scripts/size-budget.json") as Record<string, { bytes: number; reason: string }>;
    for (const { name } of entries) expect(budgets, name).toHaveProperty([`${name}, every export`]);
    for (const [name, { bytes, reason }] of Object.entries(budgets)) {
      expect(bytes, name).toBeGreaterThan(0);
      expect(reason.length, name).toBeGreaterThan(20);
    }
  });
});

describe("versions", () => {
  test("package.json and deno.json agree on name and version", () => {
    expect([deno.name, deno.version]).toEqual([manifest.name, manifest.version]);
  });

  test("deno.json pins every peer at the version that is tested", () => {
    const pinned = Object.entries(deno.imports).filter(([, target]) => target.startsWith("npm:"));
    const wanted = peers.map((peer) => [peer, `npm:${peer}@${manifest.devDependencies[peer]}`]);
    expect(Object.fromEntries(pinned)).toEqual(Object.fromEntries(wanted));
  });

  test("package-lock.json names the optional packages of every platform", () => {
    expect(runScript("scripts/complete-lock.mjs", "--check")).toContain("0 packages missing");
  });
});
