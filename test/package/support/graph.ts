import { build, type Metafile } from "esbuild";
import { root } from "./sources.ts";

/** What importing one file brings along. */
export interface Reach {
  /** Own files, relative to the root, those that are imported lazily included. */
  readonly files: readonly string[];
  /** Packages and `node:` modules that load as soon as the file is imported. */
  readonly eager: readonly string[];
  /** Packages and `node:` modules behind an `import()`. */
  readonly lazy: readonly string[];
}

/** The import graph of one source as a bundler sees it: types are gone, packages stay outside. */
export async function importGraph(source: string): Promise<Metafile["inputs"]> {
  const { metafile } = await build({
    entryPoints: [source],
    absWorkingDir: root,
    bundle: true,
    write: false,
    metafile: true,
    format: "esm",
    platform: "neutral",
    packages: "external",
    logLevel: "silent",
  });
  return metafile.inputs;
}

const packageOf = (specifier: string): string => specifier.match(/^(@[^/]+\/)?[^/]+/)?.[0] ?? specifier;

/** Follows a graph from `source`, once through eager imports alone, once through all. */
export function reachOf(source: string, inputs: Metafile["inputs"]): Reach {
  const walk = (follow: (kind: string) => boolean): { files: Set<string>; packages: Set<string> } => {
    const files = new Set([source]);
    const packages = new Set<string>();
    for (const file of files) {
      for (const { path, kind, external } of inputs[file]?.imports ?? []) {
        if (!follow(kind)) continue;
        if (external) packages.add(packageOf(path));
        else files.add(path);
      }
    }
    return { files, packages };
  };
  const eager = walk((kind) => kind !== "dynamic-import").packages;
  const all = walk(() => true);
  return {
    files: [...all.files].sort(),
    eager: [...eager].sort(),
    lazy: [...all.packages].filter((name) => !eager.has(name)).sort(),
  };
}

/** The first circle of imports that `source` leads to, as the files along it; undefined when there is none. */
export function circleFrom(source: string, inputs: Metafile["inputs"]): readonly string[] | undefined {
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): readonly string[] | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return undefined;
    path.push(file);
    for (const { path: next, external } of inputs[file]?.imports ?? []) {
      const circle = external ? undefined : visit(next);
      if (circle) return circle;
    }
    path.pop();
    done.add(file);
    return undefined;
  };
  return visit(source);
}
