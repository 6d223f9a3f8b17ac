import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { build as buildByEsbuild } from "esbuild";
import { build as buildByVite, type Rolldown } from "vite";
import webpack from "webpack";

/** Bundles one file of a project for a page; what the bundler has against it. Node's own modules stay outside. */
export type Bundle = (folder: string, file: string) => Promise<readonly string[]>;

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const byEsbuild: Bundle = async (folder, file) => {
  const options = { bundle: true, write: false, format: "esm", platform: "browser", logLevel: "silent" } as const;
  try {
    await buildByEsbuild({
      ...options,
      entryPoints: [join(folder, file)],
      absWorkingDir: folder,
      external: ["node:*"],
    });
    return [];
  } catch (error) {
    return [messageOf(error)];
  }
};

const byVite: Bundle = async (folder, file) => {
  try {
    const built = await buildByVite({
      root: folder,
      configFile: false,
      logLevel: "silent",
      build: {
        write: false,
        minify: false,
        lib: { entry: join(folder, file), formats: ["es"] },
        rolldownOptions: { external: [/^node:/] },
      },
    });
    return peersAtOnce((built as Rolldown.RolldownOutput[])[0]!.output);
  } catch (error) {
    return [messageOf(error)];
  }
};

/** vite puts a module that throws in the place of a missing optional peer: fine on demand, fatal when it loads at once. */
function peersAtOnce(output: Rolldown.RolldownOutput["output"]): string[] {
  const chunks = new Map(output.flatMap((each) => (each.type === "chunk" ? [[each.fileName, each]] : [])));
  const loaded = new Set([...chunks.values()].filter(({ isEntry }) => isEntry));
  for (const { imports } of loaded) {
    for (const name of imports) {
      const next = chunks.get(name);
      if (next !== undefined) loaded.add(next);
    }
  }
  return [...loaded].flatMap(({ moduleIds }) => moduleIds).filter((id) => id.includes("vite-optional-peer-dep"));
}

const byWebpack: Bundle = (folder, file) =>
  new Promise((resolve) => {
    const compiler = webpack({
      context: folder,
      mode: "production",
      entry: `./${file}`,
      target: ["web", "es2022"],
      experiments: { outputModule: true },
      externals: [/^node:/],
      externalsType: "module",
      output: { path: join(folder, "webpack"), module: true, library: { type: "module" } },
      optimization: { minimize: false },
    });
    compiler.run((failure, stats) => {
      const errors = stats?.compilation.errors.map(messageOf) ?? [];
      compiler.close(() => resolve(failure ? [messageOf(failure), ...errors] : errors));
    });
  });

/** The bundlers that every entry point has to get through. */
export const bundlers: readonly (readonly [string, Bundle])[] = [
  ["esbuild", byEsbuild],
  ["vite", byVite],
  ["webpack", byWebpack],
];

/** Writes a module that takes every export of `name`; its file name. */
export function writeEntry(folder: string, name: string): string {
  const file = `${name.replaceAll("/", "-")}.js`;
  writeFileSync(join(folder, file), `export * from ${JSON.stringify(name)};\n`);
  return file;
}
