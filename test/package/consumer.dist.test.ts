import { spawnSync } from "node:child_process";
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { entries, peers } from "../../scripts/lib/entries.mjs";
import { bundlers, writeEntry } from "./support/bundlers.ts";
import { damagedCopy, makeConsumer, packPackage, removeConsumers } from "./support/consumer.ts";
import { resolutions, typeErrors, writeTypesConsumer } from "./support/consumer-types.ts";

const api = "@opentelemetry/api";
let unpacked = "";
/** A copy of the package whose entry `waybill/nats` needs a peer at once, in its code and in its types. */
let needy = "";

beforeAll(() => {
  ({ unpacked } = packPackage());
  needy = damagedCopy("needy", unpacked, (copy) => {
    const code = 'import { wsconnect } from "@nats-io/nats-core";\nexport const core = wsconnect;';
    appendFileSync(join(copy, "dist/adapters/nats/index.js"), `\n${code}\n`);
    const type = "export declare const core: typeof import('@nats-io/nats-core');";
    appendFileSync(join(copy, "dist/adapters/nats/index.d.ts"), `\n${type}\n`);
  }).unpacked;
});
afterAll(removeConsumers);

/** Runs a module in a Node of its own: what it prints, or the error that ends it. */
function runInNode(folder: string, code: string): string {
  const args = ["--input-type=module", "-e", code];
  const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: "utf8" });
  return stdout.trim() || stderr;
}

/** How many exports an entry has in Node, or the error of importing it. */
function importInNode(folder: string, name: string): string {
  return runInNode(folder, `console.log(Object.keys(await import(${JSON.stringify(name)})).length)`);
}

describe.each(resolutions)("with module resolution %s", (...resolution) => {
  test("a consumer with every peer compiles", () => {
    const folder = makeConsumer(`types-${resolution[0]}`, unpacked, [...peers, "@types/node", "@types/ws"]);
    writeTypesConsumer(folder);
    expect(typeErrors(folder, resolution, ["node"])).toEqual([]);
  });

  test(`a consumer with ${api} alone compiles`, () => {
    const folder = makeConsumer(`bare-types-${resolution[0]}`, unpacked, [api]);
    writeTypesConsumer(folder);
    expect(typeErrors(folder, resolution, [])).toEqual([]);
  });

  test("declarations that need a peer do not", () => {
    const folder = makeConsumer(`needy-types-${resolution[0]}`, needy, [api]);
    writeTypesConsumer(folder);
    expect(typeErrors(folder, resolution, [])).toEqual([
      expect.stringContaining("Cannot find module '@nats-io/nats-core'"),
    ]);
  });
});

describe(`a consumer with ${api} alone`, () => {
  let folder = "";
  beforeAll(() => {
    folder = makeConsumer("bare", unpacked, [api]);
  });

  test.each(entries)("imports $name in Node", ({ name }) => {
    expect(Number(importInNode(folder, name))).toBeGreaterThan(0);
  });

  test("is told to install msw by natsHandler", () => {
    const code = `import { natsHandler } from "waybill/testing";
      await natsHandler("ws://localhost:9222").catch(({ code, message }) => console.log(code, message));`;
    expect(runInNode(folder, code)).toBe("peer-missing natsHandler: msw is not installed: npm install --save-dev msw");
  });

  describe.each(bundlers)("with %s", (_, bundle) => {
    test.each(entries)("bundles $name", async ({ name }) => {
      expect(await bundle(folder, writeEntry(folder, name))).toEqual([]);
    });
  });
});

describe("a package that needs a peer at once is found:", () => {
  let folder = "";
  beforeAll(() => {
    folder = makeConsumer("needy", needy, [api]);
  });

  test("by Node", () => {
    expect(importInNode(folder, "waybill/nats")).toContain("ERR_MODULE_NOT_FOUND");
  });

  test.each(bundlers)("by %s", async (_, bundle) => {
    const errors = await bundle(folder, writeEntry(folder, "waybill/nats"));
    expect(errors.join("\n")).toContain("@nats-io/nats-core");
  });
});
