import { existsSync, readdirSync, rmSync } from "node:fs";
import { build } from "esbuild";
import { entries, peers } from "./entries.mjs";
import { at, cache } from "./paths.mjs";

const common = { bundle: true, format: "esm", target: "es2022", tsconfig: at("tsconfig.json"), logLevel: "warning" };
const outExtension = { ".js": ".mjs" };

/**
 * Bundles what `npm run bench` runs into `.cache/bench`, as deep below the root as test/support, whose paths are
 * relative to the file. What a loader wraps around functions would be measured.
 */
export async function buildBench() {
  // What earlier runs built, and not what they measured.
  const before = existsSync(cache("bench")) ? readdirSync(cache("bench")) : [];
  for (const name of before.filter((each) => each === "dist" || each.endsWith(".mjs"))) {
    rmSync(cache("bench", name), { recursive: true, force: true });
  }
  // A comparison loads its own chunks alone.
  await build({
    ...common,
    entryPoints: { main: at("bench/main.ts"), report: at("bench/report/report.ts") },
    outdir: cache("bench"),
    outExtension,
    splitting: true,
    packages: "external",
    platform: "node",
  });
  // Other runtimes get one file with all it needs.
  await build({
    ...common,
    entryPoints: { "runtime-core": at("bench/runtimes/core.ts") },
    outdir: cache("bench"),
    outExtension,
    platform: "node",
  });
  // The entry points as the package ships them.
  await build({
    ...common,
    entryPoints: Object.fromEntries(entries.map(({ dist, source }) => [dist.replace(/\.js$/, ""), at(source)])),
    outdir: cache("bench"),
    splitting: true,
    chunkNames: "dist/chunk-[hash]",
    external: [...peers, "node:*"],
    platform: "neutral",
  });
  return cache("bench", "main.mjs");
}
