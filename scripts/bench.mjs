// `npm run bench`: the measurements of bench/, bundled first: what a loader wraps around functions would be measured.
import { spawnSync } from "node:child_process";
import { checkNode, ensureDependencies } from "./lib/dependencies.mjs";
import { at, root } from "./lib/paths.mjs";

checkNode();
const { state, detail } = await ensureDependencies();
if (state === "missing") {
  console.error(detail);
  process.exit(1);
}
const { build } = await import("esbuild");
// As deep below the root as test/support, whose paths are relative to the file.
const outfile = at(".cache/bench/main.mjs");
await build({
  entryPoints: [at("bench/main.ts")],
  outfile,
  bundle: true,
  packages: "external",
  format: "esm",
  platform: "node",
  target: "es2022",
  tsconfig: at("tsconfig.json"),
});
const { status } = spawnSync(process.execPath, ["--expose-gc", outfile, ...process.argv.slice(2)], {
  cwd: root,
  stdio: "inherit",
});
process.exit(status ?? 1);
