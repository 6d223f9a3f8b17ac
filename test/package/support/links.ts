import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { root } from "./sources.ts";

/** Links of documents to files that are not there, as `<file>:<line>: <link>`. */
export function deadLinks(files: readonly string[]): string[] {
  return files.flatMap((file) => {
    const lines = readFileSync(join(root, file), "utf8").split("\n");
    return lines.flatMap((text, at) =>
      [...text.matchAll(/\]\(([^)#\s]+)/g)]
        .map(([, link]) => link!)
        .filter((link) => !/^[a-z]+:/.test(link) && !existsSync(join(root, dirname(file), link)))
        .map((link) => `${file}:${at + 1}: ${link}`),
    );
  });
}
