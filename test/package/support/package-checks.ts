import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { checkPackage, createPackageFromTarballData, type Problem } from "@arethetypeswrong/core";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { entries } from "../../../scripts/lib/entries.mjs";

const filesWith = (unpacked: string, ending: string): string[] =>
  readdirSync(join(unpacked, "dist"), { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(ending));

const textOf = (unpacked: string, file: string): string => readFileSync(join(unpacked, "dist", file), "utf8");

/** What publint has against an unpacked package. */
export async function publintMessages(unpacked: string): Promise<string[]> {
  const { messages, pkg } = await publint({ pkgDir: unpacked, strict: true, pack: false });
  return messages.map((message) => formatMessage(message, pkg as Record<string, unknown>) ?? message.code);
}

/** As in attw's profile `esm-only`: nothing is promised to `require` and to resolvers that know no exports. */
const isPromised = (problem: Problem): boolean =>
  !("resolutionKind" in problem && ["node10", "node16-cjs"].includes(problem.resolutionKind)) &&
  !("resolutionOption" in problem && problem.resolutionOption === "node10");

/** What Are The Types Wrong has against a tarball, as `kind place`. */
export async function attwProblems(tarball: string): Promise<string[]> {
  const result = await checkPackage(createPackageFromTarballData(new Uint8Array(readFileSync(tarball))));
  if (result.types === false) return ["no types at all"];
  const placeOf = (problem: Problem): string =>
    "entrypoint" in problem
      ? `${problem.entrypoint} ${problem.resolutionKind}`
      : "fileName" in problem
        ? problem.fileName
        : problem.typesFileName;
  return result.problems.filter(isPromised).map((problem) => `${problem.kind} ${placeOf(problem)}`);
}

/** Files that the exports name and the package lacks. */
export function missingFiles(unpacked: string): string[] {
  return entries.flatMap(({ dist, types }) => [dist, types]).filter((file) => !existsSync(join(unpacked, file)));
}

/** Modules without a source map, and source maps without a module. */
export function unpairedMaps(unpacked: string): string[] {
  const maps = new Set(filesWith(unpacked, ".js.map"));
  const modules = new Set(filesWith(unpacked, ".js").map((file) => `${file}.map`));
  return [...maps].filter((file) => !modules.has(file)).concat([...modules].filter((file) => !maps.has(file)));
}

/** Declarations that import a source, which is not in the package. */
export function declarationsOfSources(unpacked: string): string[] {
  return filesWith(unpacked, ".d.ts").filter((file) => /from '[^']+(?<!\.d)\.ts'/.test(textOf(unpacked, file)));
}

/** Modules that hold a class of errors. */
export function errorClasses(unpacked: string): string[] {
  const isClass = /\bclass EventError\b|\bEventError = class\b/;
  return filesWith(unpacked, ".js").filter((file) => isClass.test(textOf(unpacked, file)));
}
