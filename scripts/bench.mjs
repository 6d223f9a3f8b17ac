// `npm run bench [-- nats | jetstream | kafka | <name>]`: the comparisons of bench/, each in a process of its own. Bundled first:
// what a loader wraps around functions would be measured.
import { spawnSync } from "node:child_process";
import { checkNode, ensureDependencies } from "./lib/dependencies.mjs";
import { at, cache, root } from "./lib/paths.mjs";

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
/** @platformatic/kafka needs a newer Node than the project; `npm test` installs it. */
const node24 = cache("tools", "runtimes", "bin", "node24");
/** Runs the bundle; `out` is what becomes of its standard output. */
const run = (out, ...args) =>
  spawnSync(args[0]?.includes("platformatic") ? node24 : process.execPath, ["--expose-gc", outfile, ...args], {
    cwd: root,
    // Where a comparison needs a client that was built for this Node.
    env: { ...process.env, BENCH_NODE: process.execPath },
    encoding: "utf8",
    stdio: ["ignore", out, "inherit"],
  });
const wanted = process.argv.slice(2);
const names = run("pipe").stdout.trim().split("\n");
const chosen = names.filter((name) => wanted.length === 0 || wanted.some((each) => name.startsWith(each)));
if (chosen.length === 0) {
  console.error(`No comparison begins with ${wanted.join(" or ")}: there are ${names.join(", ")}.`);
  process.exit(1);
}
console.log(`Node ${process.version}, for platformatic Node 24: medians of interleaved turns, time by hand / ours\n`);
let missed = 0;
for (const name of chosen) if (run("inherit", name).status !== 0) missed++;
process.exit(missed > 0 ? 1 : 0);
