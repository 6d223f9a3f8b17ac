import { chmodSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliDecompressSync } from "node:zlib";
import * as apt from "../apt.mjs";
import { cache } from "../paths.mjs";
import { probe, run } from "../run.mjs";

const target = cache("tools", "chromium");
const names = ["chromium", "google-chrome", "google-chrome-stable", "chromium-browser"];
const npmVersion = "153.0.0";

const versionOf = (path) => probe(path, ["--version"])?.match(/Chrom\S* [\d.]+|Google Chrome [\d.]+/)?.[0];

/** Links the first browser of this machine that really starts: on Ubuntu `chromium-browser` may only point at a snap. */
function link() {
  for (const name of names) {
    const path = probe("sh", ["-c", `command -v ${name}`]);
    const version = path && versionOf(path);
    if (!version) continue;
    rmSync(target, { force: true });
    symlinkSync(path, target);
    return `${version}, ${path}`;
  }
  return undefined;
}

/** Ubuntu's own chromium package is a snap, which containers cannot run; this npm package carries the binary itself. */
async function byNpm() {
  if (process.arch !== "x64" || !(await apt.install(["libnss3", "libnspr4", "libexpat1"]))) return undefined;
  const folder = cache("tools", "chromium-npm");
  const spec = `@sparticuz/chromium@${npmVersion}`;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), "{}");
  console.log(`Installing Chromium from npm: ${spec}`);
  const { code } = await run("npm", ["install", "--ignore-scripts", "--loglevel=error", spec], {
    label: "npm",
    cwd: folder,
  });
  if (code === 0) {
    const packed = readFileSync(join(folder, "node_modules", "@sparticuz", "chromium", "bin", "chromium.br"));
    rmSync(target, { force: true });
    writeFileSync(target, brotliDecompressSync(packed));
    chmodSync(target, 0o755);
  }
  rmSync(folder, { recursive: true, force: true });
  return code === 0 ? versionOf(target) : undefined;
}

/** A Chromium or Chrome at `.cache/tools/chromium`. */
export async function ensureChromium() {
  mkdirSync(cache("tools"), { recursive: true });
  const linked = link();
  if (linked) return { state: "found", detail: linked };
  const own = versionOf(target);
  if (own) return { state: "found", detail: `${own} in .cache/tools` };
  if (apt.canInstall) {
    const offered = await apt.firstOffered(["chromium"]);
    const version = offered && (await apt.install([offered])) && link();
    if (version) return { state: "installed", detail: `${version} by apt-get` };
    const unpacked = await byNpm();
    if (unpacked) return { state: "installed", detail: `${unpacked} from npm` };
  }
  return { state: "missing", detail: "no Chromium", install: ["Chromium or Google Chrome on the PATH"] };
}
