import { copyFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { staleness } from "./lockfile.mjs";
import { at, cache } from "./paths.mjs";
import { probe, run } from "./run.mjs";

const folder = cache("bench-peers");
const source = (...parts) => at("bench", "peers", ...parts);

/** Why the folder does not hold what bench/peers/package-lock.json asks for; undefined when it does. */
function reasonToInstall() {
  const installed = join(folder, "node_modules", ".package-lock.json");
  if (!existsSync(installed)) return "not there yet";
  const read = (file) => JSON.parse(readFileSync(file, "utf8"));
  return staleness(read(source("package-lock.json")), read(installed));
}

/**
 * The libraries that comparisons are made with, in a folder of their own: none of them is a package of this project. No
 * install script runs.
 */
export async function ensurePeers() {
  mkdirSync(folder, { recursive: true });
  for (const file of ["package.json", "package-lock.json", "nest.mjs"]) copyFileSync(source(file), join(folder, file));
  const reason = reasonToInstall();
  if (reason === undefined) return { state: "found", detail: "bench/peers/package-lock.json" };
  const args = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  const { code, output } = await run("npm", args, { cwd: folder, collect: true });
  if (code === 0) return { state: "installed", detail: "npm ci of bench/peers" };
  const install = [`npm ${args.join(" ")} in ${folder}`];
  return { state: "missing", detail: `npm ci of bench/peers failed:\n${output}`, install };
}

/** The Go program of bench/peers/watermill. Without Go its rows say so, and nothing is missing. */
export async function ensureWatermill() {
  if (probe("go", ["version"]) === undefined) return { state: "absent", detail: "Go not found: its rows say so" };
  mkdirSync(folder, { recursive: true });
  const args = ["build", "-trimpath", "-o", join(folder, "watermill"), "."];
  const { code, output } = await run("go", args, { cwd: source("watermill"), collect: true });
  if (code === 0) return { state: "found", detail: "built by Go" };
  return {
    state: "missing",
    detail: `go build of bench/peers/watermill failed:\n${output}`,
    install: [`go ${args.join(" ")}`],
  };
}
