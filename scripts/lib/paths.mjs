import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's root folder. */
export const root = fileURLToPath(new URL("../../", import.meta.url));

/** A path inside the repository. */
export const at = (...parts) => join(root, ...parts);

/** Where tools, reports and extracted snippets go; git ignores it. */
export const cache = (...parts) => at(".cache", ...parts);
