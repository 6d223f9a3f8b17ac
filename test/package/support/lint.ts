import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "./sources.ts";

/** Rule names by file, as Biome reports them with this repository's own rules. */
export type Findings = Readonly<Record<string, readonly string[]>>;

interface BiomeReport {
  readonly diagnostics: readonly { readonly category: string; readonly location: { readonly path: string } }[];
}

/** Lints a folder as if it were the root of this repository: the rules go by path. `extra` adds files to it. */
export function lintAsRoot(folder: string, extra: Readonly<Record<string, string>> = {}): Findings {
  const copy = mkdtempSync(join(tmpdir(), "waybill-lint-"));
  try {
    const { $schema: _, ...config } = JSON.parse(readFileSync(join(root, "biome.json"), "utf8"));
    writeFileSync(join(copy, "biome.json"), JSON.stringify({ ...config, vcs: { enabled: false } }));
    cpSync(join(root, folder), copy, { recursive: true });
    for (const [file, text] of Object.entries(extra)) writeFileSync(join(copy, file), text);
    const biome = join(root, "node_modules", "@biomejs", "biome", "bin", "biome");
    const args = [biome, "lint", "--reporter=json", "--max-diagnostics=none", "."];
    const { stdout } = spawnSync(process.execPath, args, { cwd: copy, encoding: "utf8" });
    const findings: Record<string, string[]> = {};
    for (const { category, location } of (JSON.parse(stdout) as BiomeReport).diagnostics) {
      findings[location.path] ??= [];
      findings[location.path]?.push(category.replace(/^lint\/\w+\//, ""));
    }
    return findings;
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

/** Runs a script of this repository; its output when it succeeds, an error that holds the output when not. */
export function runScript(file: string, ...args: string[]): string {
  return execFileSync(process.execPath, [join(root, file), ...args], { cwd: root, encoding: "utf8" });
}
