import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { entries, manifest } from "../../scripts/lib/entries.mjs";
import tsup from "../../tsup.config.ts";
import vitest from "../../vitest.config.ts";
import {
  aliasedNames,
  type Budget,
  budgetFaults,
  builtFiles,
  type DenoConfig,
  denoExports,
  denoImports,
  denoPins,
  differences,
  type Names,
  readJson,
  sources,
  tsconfigPaths,
  wantedPins,
} from "./support/entry-lists.ts";
import { root } from "./support/sources.ts";

const fixture = join(root, "test/fixtures/exports");
const deno = readJson(root, "deno.json") as DenoConfig;
const brokenDeno = readJson(fixture, "deno.json") as DenoConfig;
const budgets = readJson(root, "scripts/size-budget.json") as Record<string, Budget>;

describe("entry points", () => {
  test.each(entries)("$name has its source $source", ({ source }) => {
    expect(existsSync(join(root, source))).toBe(true);
  });

  test("package.json names types beside every file", () => {
    for (const { dist, types } of entries) expect(types).toBe(dist.replace(/\.js$/, ".d.ts"));
  });

  test("deno.json exports the same subpaths", () => {
    expect(differences(sources, denoExports(deno))).toEqual([]);
  });

  test("deno.json maps the package's own names to the same sources", () => {
    expect(differences(sources, denoImports(deno))).toEqual([]);
  });

  test("tsconfig.json maps the same names", () => {
    expect(differences(sources, tsconfigPaths(root))).toEqual([]);
  });

  test("vitest.config.ts maps the same names", () => {
    expect(differences(sources, aliasedNames(vitest.resolve?.alias as Parameters<typeof aliasedNames>[0]))).toEqual([]);
  });

  test("tsup.config.ts builds the same files", () => {
    const wanted = Object.fromEntries(entries.map(({ dist, source }) => [dist, source]));
    expect(differences(wanted, builtFiles((tsup as { entry: Names }).entry))).toEqual([]);
  });

  test("each has a size budget with a reason", () => {
    expect(budgetFaults(budgets)).toEqual([]);
  });
});

describe("versions", () => {
  test("package.json and deno.json agree on name and version", () => {
    expect([deno.name, deno.version]).toEqual([manifest.name, manifest.version]);
  });

  test("deno.json pins every peer at the version that is tested", () => {
    expect(differences(wantedPins, denoPins(deno))).toEqual([]);
  });
});

describe("a list that differs is found", () => {
  const nats = "adapters/nats/index.ts";
  const wanted = { waybill: "core/index.ts", "waybill/nats": nats };
  const faults = ["waybill/nats: nothing instead of adapters/nats/index.ts", "waybill/new: new.ts instead of nothing"];

  test("in deno.json", () => {
    expect(differences(wanted, denoExports(brokenDeno))).toEqual(faults);
    expect(differences(wanted, denoImports(brokenDeno))).toEqual(faults);
    expect(differences({ ws: "npm:ws@8.23.0" }, denoPins(brokenDeno))).toEqual([
      "ws: npm:ws@8.0.0 instead of npm:ws@8.23.0",
    ]);
  });

  test("in tsconfig.json, vitest.config.ts and tsup.config.ts", () => {
    expect(differences(wanted, tsconfigPaths(fixture))).toEqual(faults);
    const alias = [
      { find: /^waybill$/, replacement: `${root}core/index.ts` },
      { find: /^waybill\/nats$/, replacement: `${root}adapters/index.ts` },
    ];
    expect(differences(wanted, aliasedNames(alias))).toEqual([`waybill/nats: adapters/index.ts instead of ${nats}`]);
    expect(differences({ "dist/a.js": "a.ts" }, builtFiles({ a: "b.ts" }))).toEqual([
      "dist/a.js: b.ts instead of a.ts",
    ]);
  });

  test("in the size budgets", () => {
    const { [`${manifest.name}, every export`]: _, ...others } = budgets;
    const faults = budgetFaults({ ...others, more: { bytes: 0, reason: "A reason that is long enough." } });
    expect(faults).toEqual([`${manifest.name}: no budget`, "more: no bytes or no reason"]);
    expect(budgetFaults({ ...budgets, more: { bytes: 1, reason: "grew" } })).toEqual(["more: no bytes or no reason"]);
  });
});
