import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's root folder: the bundle in .cache/bench is as deep below it as this file. */
export const root: string = fileURLToPath(new URL("../../", import.meta.url));

/** A path inside the repository. */
export const at = (...parts: readonly string[]): string => join(root, ...parts);

/** A path inside `.cache`, which git ignores. */
export const cache = (...parts: readonly string[]): string => at(".cache", ...parts);
