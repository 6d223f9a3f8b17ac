import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { root } from "./sources.ts";

/** Outside the repository, whose node_modules would otherwise answer for a missing peer. */
const folder = mkdtempSync(join(tmpdir(), "waybill-consumers-"));

/** The package as it is published. */
export interface PackedPackage {
  /** The file that npm would upload. */
  readonly tarball: string;
  /** The folder it is unpacked to. */
  readonly unpacked: string;
}

/** Packs the package as npm would publish it and unpacks it again. Needs `npm run build`. */
export function packPackage(): PackedPackage {
  const args = ["pack", "--ignore-scripts", "--loglevel=error", "--pack-destination", folder];
  execFileSync("npm", args, { cwd: root, stdio: "pipe" });
  const tarball = join(folder, readdirSync(folder).find((file) => file.endsWith(".tgz"))!);
  execFileSync("tar", ["-xzf", tarball, "-C", folder]);
  return { tarball, unpacked: join(folder, "package") };
}

/** A copy of a package that `damage` makes worse: what a guard has to find. */
export function damagedCopy(name: string, unpacked: string, damage: (copy: string) => void): PackedPackage {
  const copy = join(folder, "damaged", name, "package");
  cpSync(unpacked, copy, { recursive: true });
  damage(copy);
  const tarball = `${dirname(copy)}.tgz`;
  execFileSync("tar", ["-czf", tarball, "-C", dirname(copy), "package"]);
  return { tarball, unpacked: copy };
}

/** A project that depends on the unpacked package and on `packages`, which are linked from this repository. */
export function makeConsumer(name: string, unpacked: string, packages: readonly string[]): string {
  const project = join(folder, name);
  mkdirSync(join(project, "node_modules"), { recursive: true });
  writeFileSync(join(project, "package.json"), JSON.stringify({ name, private: true, type: "module" }));
  cpSync(unpacked, join(project, "node_modules", "waybill"), { recursive: true });
  for (const dependency of packages) {
    const link = join(project, "node_modules", dependency);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(root, "node_modules", dependency), link);
  }
  return project;
}

/** Removes every project that was made. */
export function removeConsumers(): void {
  rmSync(folder, { recursive: true, force: true });
}
