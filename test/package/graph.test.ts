import { relative } from "node:path";
import { describe, expect, test } from "vitest";
import { trespasses } from "./support/allowance.ts";
import { programOf } from "./support/compile.ts";
import { circleFrom, importGraph, reachOf } from "./support/graph.ts";
import { filesBelow, layers, root, writtenEntries } from "./support/sources.ts";

describe("bundle graph", () => {
  test.each(writtenEntries)("$name brings along its own layer and vendor alone", async ({ source }) => {
    expect(trespasses(source, reachOf(source, await importGraph(source)))).toEqual([]);
  });

  test.each([
    ["core/index.ts", "file adapters/nats/"],
    ["adapters/kafka/index.ts", "at once @confluentinc/kafka-javascript", "on demand @nats-io/nats-core"],
    ["adapters/nats/index.ts", "at once node:fs"],
    ["runtimes/browser/index.ts", "on demand @platformatic/kafka", "on demand node:net"],
    ["testing/index.ts", "at once msw"],
  ])("finds what %s of the fixtures may not bring along", async (source, ...wanted) => {
    const fixture = `test/fixtures/graph/${source}`;
    const { files, ...packages } = reachOf(fixture, await importGraph(fixture));
    const own = files.map((file) => file.replace("test/fixtures/graph/", ""));
    const found = trespasses(source, { files: own, ...packages });
    for (const trespass of wanted) expect(found.join("\n")).toContain(trespass);
    // One layer of files, or exactly these packages.
    expect(found.filter((each) => !wanted.some((trespass) => each.startsWith(trespass)))).toEqual([]);
  });

  test("tells an eager vendor from a lazy one", async () => {
    const source = "test/fixtures/lint/core/imports-vendor.ts";
    expect(reachOf(source, await importGraph(source)).eager).toEqual(["@nats-io/nats-core"]);
    const lazily = "test/fixtures/lint/core/imports-node-lazily.ts";
    expect(reachOf(lazily, await importGraph(lazily))).toMatchObject({ eager: [], lazy: ["node:fs"] });
  });
});

describe("circular imports", () => {
  test.each(writtenEntries)("$name has none", async ({ source }) => {
    expect(circleFrom(source, await importGraph(source))).toBeUndefined();
  });

  test("a circle is found", async () => {
    const folder = "test/fixtures/cycle";
    expect(circleFrom(`${folder}/a.ts`, await importGraph(`${folder}/a.ts`))).toEqual(
      ["a.ts", "b.ts", "c.ts", "a.ts"].map((file) => `${folder}/${file}`),
    );
  });
});

describe("every shipped file", () => {
  const program = programOf(
    "tsconfig.json",
    writtenEntries.map(({ source }) => source),
  );
  const reached = new Set(program.getSourceFiles().map(({ fileName }) => relative(root, fileName)));
  const orphans = (files: readonly string[]): string[] => files.filter((file) => !reached.has(file));

  test("belongs to an entry point", () => {
    const shipped = layers.flatMap((layer) => filesBelow(layer, ".ts")).filter((file) => !file.endsWith(".d.ts"));
    expect(orphans(shipped)).toEqual([]);
  });

  test("that belongs to none is found", () => {
    expect(orphans(["core/index.ts", "test/fixtures/cycle/a.ts"])).toEqual(["test/fixtures/cycle/a.ts"]);
  });
});
