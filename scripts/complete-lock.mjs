// `npm ci` refuses a lock file that lacks an optional package of another platform, and npm leaves those out that it could
// not reach when it wrote the file. Run this after `npm install`: it adds the missing names. `--check` only reports them.
import { readFileSync, writeFileSync } from "node:fs";
import { missingOptionals, platformOf } from "./lib/lockfile.mjs";
import { at } from "./lib/paths.mjs";

const file = at("package-lock.json");
const lock = JSON.parse(readFileSync(file, "utf8"));
const missing = missingOptionals(lock);
for (const { parent, name, range } of missing) console.log(`missing: ${name}@${range} (of ${parent})`);

if (process.argv.includes("--check")) {
  console.log(`${missing.length} packages missing`);
  process.exit(missing.length > 0 ? 1 : 0);
}
for (const { name, range } of missing) {
  lock.packages[`node_modules/${name}`] = { version: range, dev: true, optional: true, ...platformOf(name) };
}
const [root, ...others] = Object.keys(lock.packages);
lock.packages = Object.fromEntries(
  [root, ...others.sort((a, b) => a.localeCompare(b, "en"))].map((key) => [key, lock.packages[key]]),
);
if (missing.length > 0) writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`${missing.length} packages added to package-lock.json`);
