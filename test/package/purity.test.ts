import { describe, expect, test } from "vitest";
import { complaints, programOf, readConfig } from "./support/compile.ts";
import { lintAsRoot } from "./support/lint.ts";
import { filesBelow, root } from "./support/sources.ts";

describe("core's compiler settings", () => {
  const withCore = (fixture: string): string[] =>
    complaints(programOf("core/tsconfig.json", ["core/globals.d.ts", `test/fixtures/core-purity/${fixture}`])).map(
      ({ message }) => message,
    );

  test.each(["document", "process", "fetch", "Buffer", "performance"])("know no %s", (name) => {
    expect(withCore(`${name}.ts`).join("\n")).toContain(`'${name}'`);
  });

  test("know what every runtime has", () => {
    expect(withCore("allowed.ts")).toEqual([]);
  });

  test("hold for every file of core", () => {
    const { fileNames } = readConfig(`${root}core/tsconfig.json`);
    expect(fileNames.map((file) => file.replace(root, "")).sort()).toEqual(filesBelow("core", ".ts"));
  });
});

describe("lint rules", () => {
  const longFile = Array.from({ length: 301 }, (_, line) => `export const n${line} = ${line};`).join("\n");
  const findings = lintAsRoot("test/fixtures/lint", { "adapters/long-file.ts": `${longFile}\n` });

  test.each([
    ["core/imports-node.ts", "noRestrictedImports"],
    ["core/imports-node-lazily.ts", "noRestrictedImports"],
    ["core/imports-vendor.ts", "noRestrictedImports"],
    ["core/imports-vendor-type.ts", "noRestrictedImports"],
    ["core/imports-otel-sdk.ts", "noRestrictedImports"],
    ["core/imports-adapter.ts", "noRestrictedImports"],
    ["core/imports-adapter-by-name.ts", "noRestrictedImports"],
    ["core/imports-runtime.ts", "noRestrictedImports"],
    ["core/exports-all.ts", "noReExportAll"],
    ["core/floats-promise.ts", "noFloatingPromises"],
    ["adapters/imports-node.ts", "noRestrictedImports"],
    ["adapters/imports-runtime.ts", "noRestrictedImports"],
    ["adapters/long-file.ts", "noExcessiveLinesPerFile"],
  ])("refuse %s by %s", (file, rule) => {
    expect(findings[file]).toEqual([rule]);
  });

  test("let through what core and adapters may import", () => {
    expect(findings["core/allowed.ts"]).toBeUndefined();
    expect(findings["adapters/allowed.ts"]).toBeUndefined();
  });
});
