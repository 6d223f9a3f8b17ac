import { relative } from "node:path";
import { describe, expect, test } from "vitest";
import { programOf } from "./support/compile.ts";
import { circleFrom, importGraph, reachOf } from "./support/graph.ts";
import { filesBelow, layers, root, writtenEntries } from "./support/sources.ts";

const api = "@opentelemetry/api";

/** What an entry point may bring along, by where its source lies. */
interface Allowance {
  /** Own files. */
  readonly files: RegExp;
  /** Loaded at once, beside the OpenTelemetry API. */
  readonly eager: RegExp;
  /** Behind an `import()`. */
  readonly lazy: RegExp;
}

const none = /^$/;
const natsVendors = /^(@nats-io\/.+|nats\.ws|ws)$/;
const allVendors = /^(@nats-io\/.+|nats\.ws|ws|@confluentinc\/.+|@platformatic\/.+)$/;

function allowance(source: string): Allowance {
  const [layer, part] = source.split("/");
  if (layer === "core") return { files: /^core\//, eager: none, lazy: none };
  if (layer === "adapters") {
    const vendors = part === "kafka" ? /^@(confluentinc|platformatic)\/.+$/ : part === "memory" ? none : natsVendors;
    // JetStream is spoken over a NATS connection.
    const own = part === "jetstream" ? "(jetstream|nats)" : part;
    return { files: new RegExp(`^(core|adapters/${own})/`), eager: none, lazy: vendors };
  }
  if (layer === "testing") return { files: /^(core|testing|adapters\/memory)\//, eager: /^node:/, lazy: /^(ws|msw)$/ };
  if (part === "browser" || part === "edge") {
    return {
      files: new RegExp(`^(core|adapters/(?!kafka/)|runtimes/(${part}|shared)/)`),
      eager: none,
      lazy: natsVendors,
    };
  }
  return { files: new RegExp(`^(core|adapters|runtimes/(${part}|shared))/`), eager: /^node:/, lazy: allVendors };
}

describe("bundle graph", () => {
  test.each(writtenEntries)("$name brings along its own layer and vendor alone", async ({ source }) => {
    const { files, eager, lazy } = reachOf(source, await importGraph(source));
    const allowed = allowance(source);
    expect(files.filter((file) => !allowed.files.test(file))).toEqual([]);
    expect(eager.filter((name) => name !== api && !allowed.eager.test(name))).toEqual([]);
    expect(lazy.filter((name) => name !== api && !allowed.lazy.test(name) && !allowed.eager.test(name))).toEqual([]);
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

test("every shipped file belongs to an entry point", () => {
  const program = programOf(
    "tsconfig.json",
    writtenEntries.map(({ source }) => source),
  );
  const reached = new Set(program.getSourceFiles().map(({ fileName }) => relative(root, fileName)));
  const shipped = layers.flatMap((layer) => filesBelow(layer, ".ts")).filter((file) => !file.endsWith(".d.ts"));
  expect(shipped.filter((file) => !reached.has(file))).toEqual([]);
});
