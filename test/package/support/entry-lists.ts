import { readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { entries, manifest } from "../../../scripts/lib/entries.mjs";
import { root } from "./sources.ts";

/** Names of entry points with a path each: `waybill/nats` → `adapters/nats/index.ts`. */
export type Names = Readonly<Record<string, string>>;

/** What package.json says, and every other list has to repeat. */
export const sources: Names = Object.fromEntries(entries.map(({ name, source }) => [name, source]));

/** deno.json as far as it is compared. */
export interface DenoConfig {
  readonly name: string;
  readonly version: string;
  readonly exports: Names;
  readonly imports: Names;
}

/** A size budget of scripts/size-budget.json. */
export interface Budget {
  readonly bytes: number;
  readonly reason: string;
}

/** Parses a JSON file below `folder`, which is the repository or a fixture. */
export function readJson(folder: string, file: string): unknown {
  return JSON.parse(readFileSync(join(folder, file), "utf8"));
}

const plain = (path: string): string => path.replace(root, "").replace(/^\.\//, "");

/** The subpaths that deno.json exports. */
export function denoExports({ name, exports }: DenoConfig): Names {
  return Object.fromEntries(
    Object.entries(exports).map(([subpath, path]) => [subpath.replace(/^\./, name), plain(path)]),
  );
}

/** The package's own names that deno.json maps. */
export function denoImports({ name, imports }: DenoConfig): Names {
  const own = Object.entries(imports).filter(([from]) => from === name || from.startsWith(`${name}/`));
  return Object.fromEntries(own.map(([from, path]) => [from, plain(path)]));
}

/** The versions that deno.json pins of packages from npm. */
export function denoPins({ imports }: DenoConfig): Names {
  return Object.fromEntries(Object.entries(imports).filter(([, target]) => target.startsWith("npm:")));
}

/** What deno.json has to pin: each peer at the version under test. */
export const wantedPins: Names = Object.fromEntries(
  Object.keys(manifest.peerDependencies).map((peer) => [peer, `npm:${peer}@${manifest.devDependencies[peer]}`]),
);

/** The names that tsconfig.json maps. */
export function tsconfigPaths(folder: string): Names {
  const { config } = ts.readConfigFile(join(folder, "tsconfig.json"), ts.sys.readFile);
  const paths = Object.entries(config.compilerOptions.paths as Record<string, string[]>);
  return Object.fromEntries(paths.map(([name, targets]) => [name, plain(targets.join())]));
}

/** The names that vitest.config.ts maps by patterns that match one name each. */
export function aliasedNames(alias: readonly { readonly find: RegExp; readonly replacement: string }[]): Names {
  return Object.fromEntries(
    alias.map(({ find, replacement }) => [find.source.replaceAll(/[\\^$]/g, ""), plain(replacement)]),
  );
}

/** The built file of each source that tsup.config.ts names, as package.json has to name it. */
export function builtFiles(entry: Names): Names {
  return Object.fromEntries(Object.entries(entry).map(([out, source]) => [`dist/${out}.js`, source]));
}

/** Entry points without a size budget of their own, and budgets that are empty or without a reason. */
export function budgetFaults(budgets: Readonly<Record<string, Budget>>): string[] {
  const absent = entries.filter(({ name }) => budgets[`${name}, every export`] === undefined);
  const empty = Object.entries(budgets).filter(([, { bytes, reason }]) => !(bytes > 0) || reason.length <= 20);
  return [
    ...absent.map(({ name }) => `${name}: no budget`),
    ...empty.map(([name]) => `${name}: no bytes or no reason`),
  ];
}

/** Where a list differs from the one that is wanted; empty when they are equal. */
export function differences(wanted: Names, found: Names): string[] {
  return [...new Set([...Object.keys(wanted), ...Object.keys(found)])]
    .filter((name) => wanted[name] !== found[name])
    .map((name) => `${name}: ${found[name] ?? "nothing"} instead of ${wanted[name] ?? "nothing"}`);
}
