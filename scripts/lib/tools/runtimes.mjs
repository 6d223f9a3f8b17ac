import { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cache } from "../paths.mjs";
import { probe, run } from "../run.mjs";

const folder = cache("tools", "runtimes");
const platform = `${process.platform}-${process.arch}`;

/** Other runtimes, as npm packages that hold the binary itself: name, package, path in it, version. */
const runtimes = [
  ["node22", `node-${platform}`, "bin/node", "22.23.3"],
  ["node24", `node-${platform}`, "bin/node", "24.21.0"],
  ["deno", `@deno/${platform}-glibc`, "deno", "2.9.6"],
  ["bun", `@oven/bun-${platform}`, "bin/bun", "1.4.5"],
  ["workerd", `@cloudflare/workerd-${process.platform}-64`, "bin/workerd", "1.20261117.1"],
];

const binary = (name) => join(folder, "bin", name);
/** workerd tells its date: 2026-11-17 for 1.20261117.1. */
const said = (name) => (probe(binary(name), ["--version"]) ?? "").replaceAll("-", "");
const present = ([name, , , version]) => said(name).includes(name === "workerd" ? version.split(".")[1] : version);

/** Node 22 and 24, Deno, Bun and workerd at `.cache/tools/runtimes/bin`, in a folder of their own: none shadows the project's Node. */
export async function ensureRuntimes() {
  const detail = runtimes.map(([name, , , version]) => `${name} ${version}`).join(", ");
  if (runtimes.every(present)) return { state: "found", detail };
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, "bin"), { recursive: true });
  const dependencies = Object.fromEntries(runtimes.map(([name, from, , version]) => [name, `npm:${from}@${version}`]));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, dependencies }));
  const { code, output } = await run("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund"], {
    cwd: folder,
    collect: true,
  });
  for (const [name, , path] of runtimes) {
    const file = join(folder, "node_modules", name, path);
    if (existsSync(file)) symlinkSync(file, binary(name));
  }
  if (code === 0 && runtimes.every(present)) return { state: "installed", detail: `${detail} from npm` };
  return { state: "missing", detail: `npm could not install them:\n${output}`, install: [detail] };
}
