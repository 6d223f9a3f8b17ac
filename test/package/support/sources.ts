import { existsSync, readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { type Entry, entries } from "../../../scripts/lib/entries.mjs";

/** The repository's root folder. */
export const root: string = fileURLToPath(new URL("../../../", import.meta.url));

/** The shipped layers, bottom first. */
export const layers: readonly string[] = ["core", "adapters", "runtimes", "testing"];

/** Entry points whose source is written; `exports.test.ts` is what fails for the others. */
export const writtenEntries: readonly Entry[] = entries.filter(({ source }) => existsSync(join(root, source)));

/** Files below `folder` with that ending, relative to the root. Absent folders hold none. */
export function filesBelow(folder: string, ending: string): string[] {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((file) => file.isFile() && file.name.endsWith(ending))
    .map((file) => relative(root, join(file.parentPath, file.name)))
    .sort();
}
