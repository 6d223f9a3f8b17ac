import { readFileSync } from "node:fs";
import { at } from "./paths.ts";

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly exports: Readonly<Record<string, string | { readonly default: string }>>;
}

/** The project's package.json. */
export const manifest = JSON.parse(readFileSync(at("package.json"), "utf8")) as Manifest;

/** Its entry points: as users import them, and where the build puts them. */
export const entries: readonly { readonly subpath: string; readonly name: string; readonly file: string }[] =
  Object.entries(manifest.exports).flatMap(([subpath, target]) =>
    typeof target === "string" ? [] : [{ subpath, name: subpath.replace(/^\./, manifest.name), file: target.default }],
  );
