import { existsSync, readFileSync } from "node:fs";
import { probe, run } from "./run.mjs";

const release = existsSync("/etc/os-release") ? readFileSync("/etc/os-release", "utf8") : "";

/** Whether this is Debian, Ubuntu or one of their relatives. */
export const isDebian =
  /^ID(_LIKE)?=.*\b(debian|ubuntu)\b/m.test(release) && probe("apt-get", ["--version"]) !== undefined;

/** Whether packages can be installed here without asking anyone. */
export const canInstall = isDebian && process.getuid?.() === 0;

const env = { DEBIAN_FRONTEND: "noninteractive" };
let updated = false;

/** Runs apt-get; its long output is printed only when it fails. */
async function quietly(args) {
  const { code, output } = await run("apt-get", args, { collect: true, env });
  if (code !== 0) console.error(output);
  return code === 0;
}

async function update() {
  if (updated) return;
  updated = true;
  await quietly(["update", "-qq"]);
}

/** Those of `packages` that are not installed. */
export function missing(packages) {
  return packages.filter((name) => !/^Status: .* installed$/m.test(probe("dpkg", ["-s", name]) ?? ""));
}

/** The first of `names` that this release offers. */
export async function firstOffered(names) {
  await update();
  return names.find((name) => /Candidate: \d/.test(probe("apt-cache", ["policy", name]) ?? ""));
}

/**
 * Installs what is missing of `packages` and says so.
 *
 * @param {string[]} packages
 * @returns {Promise<boolean>} whether all are there now
 */
export async function install(packages) {
  const wanted = missing(packages);
  if (wanted.length === 0) return true;
  if (!canInstall) return false;
  await update();
  console.log(`Installing with apt-get: ${wanted.join(" ")}`);
  const flags = ["install", "-y", "-qq", "--no-install-recommends", "-o", "Dpkg::Use-Pty=0"];
  return quietly([...flags, ...wanted]);
}
