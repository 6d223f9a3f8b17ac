import { appendFileSync, copyFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { damagedCopy, type PackedPackage, packPackage, removeConsumers } from "./support/consumer.ts";
import {
  attwProblems,
  declarationsOfSources,
  errorClasses,
  missingFiles,
  publintMessages,
  unpairedMaps,
} from "./support/package-checks.ts";

let packed: PackedPackage;
beforeAll(() => {
  packed = packPackage();
});
afterAll(removeConsumers);

describe("the packed package", () => {
  test("passes publint", async () => {
    expect(await publintMessages(packed.unpacked)).toEqual([]);
  });

  test("passes Are The Types Wrong as an ESM-only package", async () => {
    expect(await attwProblems(packed.tarball)).toEqual([]);
  });

  test("holds every file that its exports name", () => {
    expect(missingFiles(packed.unpacked)).toEqual([]);
  });

  test("has a source map beside every module", () => {
    expect(unpairedMaps(packed.unpacked)).toEqual([]);
  });

  test("imports no source in its types", () => {
    expect(declarationsOfSources(packed.unpacked)).toEqual([]);
  });

  test("holds one class of errors for all entries", () => {
    expect(errorClasses(packed.unpacked)).toHaveLength(1);
  });
});

describe("a damaged copy of it is found:", () => {
  const nats = "dist/adapters/nats/index";
  const damaged = (name: string, damage: (copy: string) => void): PackedPackage =>
    damagedCopy(name, packed.unpacked, damage);
  const withoutTypes = (): PackedPackage => damaged("without-types", (copy) => rmSync(join(copy, `${nats}.d.ts`)));

  test("types behind the module in the exports, by publint", async () => {
    const { unpacked } = damaged("order-of-conditions", (copy) => {
      const file = join(copy, "package.json");
      const manifest = JSON.parse(readFileSync(file, "utf8"));
      manifest.exports["./nats"] = { default: `./${nats}.js`, types: `./${nats}.d.ts` };
      writeFileSync(file, JSON.stringify(manifest));
    });
    expect((await publintMessages(unpacked)).join("\n")).toContain("types");
  });

  test("types that are missing, by Are The Types Wrong and by the list of files", async () => {
    const { tarball, unpacked } = withoutTypes();
    expect(await attwProblems(tarball)).toEqual([
      "UntypedResolution ./nats node16-esm",
      "UntypedResolution ./nats bundler",
    ]);
    expect(missingFiles(unpacked)).toEqual([`${nats}.d.ts`]);
  });

  test("types that import a source, by Are The Types Wrong and by the look at imports", async () => {
    const { tarball, unpacked } = damaged("types-of-sources", (copy) =>
      appendFileSync(join(copy, `${nats}.d.ts`), "\nexport type { NatsLike as Again } from './nats-like.ts';\n"),
    );
    expect(await attwProblems(tarball)).toContainEqual(expect.stringMatching(/^InternalResolutionError .*nats/));
    expect(declarationsOfSources(unpacked)).toEqual(["adapters/nats/index.d.ts"]);
  });

  test("a module without its source map", () => {
    const { unpacked } = damaged("without-map", (copy) => rmSync(join(copy, `${nats}.js.map`)));
    expect(unpairedMaps(unpacked)).toEqual(["adapters/nats/index.js.map"]);
  });

  test("a second class of errors", () => {
    const [file] = errorClasses(packed.unpacked);
    const { unpacked } = damaged("two-classes", (copy) =>
      copyFileSync(join(copy, "dist", file!), join(copy, "dist/second.js")),
    );
    expect(errorClasses(unpacked)).toHaveLength(2);
  });
});
