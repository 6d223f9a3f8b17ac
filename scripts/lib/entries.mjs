import { readFileSync } from "node:fs";
import { at } from "./paths.mjs";

/** The parsed package.json. */
export const manifest = JSON.parse(readFileSync(at("package.json"), "utf8"));

/** `./dist/adapters/nats/index.js` is built from `adapters/nats/index.ts`. */
const sourceOf = (dist) => dist.replace(/^\.\/dist\//, "").replace(/\.js$/, ".ts");

/** The package's entry points, in the order of package.json. */
export const entries = Object.entries(manifest.exports)
  .filter(([, target]) => typeof target === "object")
  .map(([subpath, { types, default: dist }]) => ({
    subpath,
    name: subpath.replace(/^\./, manifest.name),
    source: sourceOf(dist),
    dist: dist.replace(/^\.\//, ""),
    types: types.replace(/^\.\//, ""),
  }));

/** Packages that a user installs beside Waybill, or not: never bundled. */
export const peers = Object.keys(manifest.peerDependencies);
