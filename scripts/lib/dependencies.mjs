import { existsSync, readFileSync } from "node:fs";
import { staleness } from "./lockfile.mjs";
import { at } from "./paths.mjs";
import { run } from "./run.mjs";

const oldest = [20, 19];

/** Stops with a plain sentence on a Node older than package.json's `engines`. */
export function checkNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > oldest[0] || (major === oldest[0] && minor >= oldest[1])) return;
  console.error(`Waybill needs Node ${oldest.join(".")} or newer; this is ${process.versions.node}.`);
  process.exit(1);
}

/** Why node_modules does not hold what package-lock.json asks for; undefined when it does. */
function reasonToInstall() {
  const installed = at("node_modules", ".package-lock.json");
  if (!existsSync(installed)) return "node_modules is missing";
  const read = (file) => JSON.parse(readFileSync(file, "utf8"));
  return staleness(read(at("package-lock.json")), read(installed));
}

/**
 * Runs `npm ci` when node_modules is missing or differs from package-lock.json. No dependency's install script runs:
 * nothing is compiled and no binary is fetched from elsewhere.
 *
 * @returns {Promise<{ state: "found" | "installed" | "missing", detail: string, install?: string[] }>}
 */
export async function ensureDependencies() {
  const reason = reasonToInstall();
  if (reason === undefined) return { state: "found", detail: "node_modules matches package-lock.json" };
  console.log(`Installing the packages of package-lock.json with npm, without install scripts (${reason}).`);
  const { code, output } = await run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], {
    label: "npm",
  });
  if (code === 0) return { state: "installed", detail: "npm ci" };
  return { state: "missing", detail: `npm ci failed:\n${output}`, install: ["npm ci --ignore-scripts"] };
}
