import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import ts from "typescript";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { entries, manifest, peers } from "../../scripts/lib/entries.mjs";
import { makeConsumer, removeConsumers, unpackPackage } from "./support/consumer.ts";

const api = "@opentelemetry/api";
let unpacked = "";

const filesWith = (ending: string): string[] =>
  readdirSync(join(unpacked, "dist"), { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(ending));

const textOf = (file: string): string => readFileSync(join(unpacked, "dist", file), "utf8");

beforeAll(() => {
  unpacked = unpackPackage();
});
afterAll(removeConsumers);

describe("the packed package", () => {
  test("passes publint", async () => {
    const { messages, pkg } = await publint({ pkgDir: unpacked, strict: true, pack: false });
    expect(messages.map((message) => formatMessage(message, pkg as Record<string, unknown>))).toEqual([]);
  });

  test("holds every file that its exports name", () => {
    const built = new Set([...filesWith(".js"), ...filesWith(".d.ts")].map((file) => join("dist", file)));
    for (const { dist, types } of entries) expect([built.has(dist), built.has(types)], dist).toEqual([true, true]);
  });

  test("has a source map beside every module", () => {
    expect(filesWith(".js.map").sort()).toEqual(
      filesWith(".js")
        .map((file) => `${file}.map`)
        .sort(),
    );
  });

  test("imports no source in its types", () => {
    for (const file of filesWith(".d.ts")) expect(textOf(file), file).not.toMatch(/from '[^']+(?<!\.d)\.ts'/);
  });

  test("holds one class of errors for all entries", () => {
    const classes = filesWith(".js").filter((file) => /\bclass EventError\b|\bEventError = class\b/.test(textOf(file)));
    expect(classes).toHaveLength(1);
  });
});

describe("a consumer with every peer", () => {
  const program = (folder: string, module: ts.ModuleKind, moduleResolution: ts.ModuleResolutionKind): string[] => {
    const options: ts.CompilerOptions = {
      module,
      moduleResolution,
      target: ts.ScriptTarget.ES2022,
      lib: ["lib.es2023.d.ts", "lib.dom.d.ts", "lib.dom.iterable.d.ts", "lib.esnext.disposable.d.ts"],
      types: ["node"],
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
    };
    const host = ts.createCompilerHost(options);
    host.getCurrentDirectory = () => folder;
    const found = ts.getPreEmitDiagnostics(ts.createProgram([join(folder, "consumer.ts")], options, host));
    // Declarations of others are their own business.
    const own = found.filter(
      ({ file }) => !file || !/node_modules\/(?!waybill\/)/.test(file.fileName.replace(folder, "")),
    );
    return own.map((one) => `${one.file?.fileName ?? ""}: ${ts.flattenDiagnosticMessageText(one.messageText, "\n")}`);
  };

  test.each([
    ["nodenext", ts.ModuleKind.NodeNext, ts.ModuleResolutionKind.NodeNext],
    ["bundler", ts.ModuleKind.ESNext, ts.ModuleResolutionKind.Bundler],
  ])("compiles with module resolution %s", (name, module, resolution) => {
    const folder = makeConsumer(`types-${name}`, unpacked, [...peers, "@types/node", "@types/ws"]);
    const imports = entries.map((entry, index) => `import * as entry${index} from "${entry.name}";`);
    const uses = entries.map((_, index) => `export type Keys${index} = keyof typeof entry${index};`);
    const wrong = `import { EventError } from "${manifest.name}";\n// @ts-expect-error the code is from a closed list\nnew EventError("no-such-code", "text");`;
    writeFileSync(join(folder, "consumer.ts"), [...imports, ...uses, wrong].join("\n"));
    expect(program(folder, module, resolution)).toEqual([]);
  });
});

describe("a consumer with @opentelemetry/api alone", () => {
  let folder = "";
  beforeAll(() => {
    folder = makeConsumer("bare", unpacked, [api]);
  });

  test.each(entries)("imports $name in Node", ({ name }) => {
    const code = `const exported = await import(${JSON.stringify(name)}); console.log(Object.keys(exported).length)`;
    const run = execFileSync(process.execPath, ["--input-type=module", "-e", code], { cwd: folder, encoding: "utf8" });
    expect(Number(run)).toBeGreaterThan(0);
  });

  test.each(entries)("bundles $name", async ({ name }) => {
    const { errors } = await build({
      stdin: { contents: `export * from ${JSON.stringify(name)};`, resolveDir: folder },
      absWorkingDir: folder,
      bundle: true,
      write: false,
      format: "esm",
      platform: "browser",
      external: ["node:*"],
      logLevel: "silent",
    });
    expect(errors).toEqual([]);
  });
});
