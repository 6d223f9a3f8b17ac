import { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cache } from "../paths.mjs";
import { probe, run } from "../run.mjs";

const folder = cache("tools", "runtimes");
const platform = `${process.platform}-${process.arch}`;

/** Other runtimes, as npm packages that hold the binary itself: name, package, path in it, version. */
const runtimes = [
  ["node24", `node-${platform}`, "bin/node", "24.21.0"],
  ["deno", `@deno/${platform}-glibc`, "deno", "2.9.6"],
  ["bun", `@oven/bun-${platform}`, "bin/bun", "1.4.5"],
];

const binary = (name) => join(folder, "bin", name);
const present = ([name, , , version]) => (probe(binary(name), ["--version"]) ?? "").includes(version);

/** Node 24, Deno and Bun at `.cache/tools/runtimes/bin`, in a folder of their own: none shadows the project's Node. */
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
