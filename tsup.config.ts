import { defineConfig, type Options } from "tsup";
import { entries, peers } from "./scripts/lib/entries.mjs";

/** `dist/adapters/nats/index` → `adapters/nats/index.ts`: what package.json names is what gets built. */
const entry = Object.fromEntries(entries.map(({ dist, source }) => [dist.replace(/^dist\/|\.js$/g, ""), source]));

const config: ReturnType<typeof defineConfig> = defineConfig({
  entry,
  format: "esm",
  target: "es2022",
  platform: "neutral",
  // One chunk for what entries share: one class of errors, one copy of core.
  splitting: true,
  treeshake: true,
  sourcemap: true,
  dts: true,
  clean: true,
  external: [...peers, /^node:/],
  // Deno and bundlers for pages know `node:net`, not `net`.
  removeNodeProtocol: false,
} satisfies Options);

export default config;
