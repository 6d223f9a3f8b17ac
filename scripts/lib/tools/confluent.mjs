import { copyFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import * as apt from "../apt.mjs";
import { at, cache } from "../paths.mjs";
import { probe, run } from "../run.mjs";

const name = "@confluentinc/kafka-javascript";
const folder = at("node_modules", name);
const compiler = ["g++", "make", "python3"];
const libraries = ["libcurl4-openssl-dev", "libssl-dev", "zlib1g-dev", "libzstd-dev", "libsasl2-dev"];
// All that the loader needs: the addon, and librdkafka beside it by a relative path.
const built = ["Release/confluent-kafka-javascript.node", "deps/librdkafka.so.1", "deps/librdkafka++.so.1"];

const loads = () => probe(process.execPath, ["-e", `require(${JSON.stringify(name)})`], { cwd: at() }) !== undefined;

/** `npm ci` empties node_modules; the build of this very version, Node ABI and platform is kept outside. */
function store() {
  const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  return cache("confluent", [version, process.versions.modules, process.platform, process.arch].join("-"));
}

function copyBuild(from, to) {
  if (!built.every((file) => existsSync(join(from, file)))) return false;
  for (const file of built) {
    mkdirSync(dirname(join(to, file)), { recursive: true });
    copyFileSync(join(from, file), join(to, file));
  }
  return true;
}

/** Confluent's Kafka client, compiled for this Node. */
export async function ensureConfluent() {
  if (loads()) {
    copyBuild(join(folder, "build"), store());
    return { state: "found", detail: "loads" };
  }
  if (copyBuild(store(), join(folder, "build")) && loads())
    return { state: "installed", detail: "earlier build from .cache" };

  const packages = [...compiler, ...libraries];
  if (apt.isDebian && !(await apt.install(packages))) {
    return {
      state: "missing",
      detail: "what its build needs is absent",
      install: [`apt-get install ${apt.missing(packages).join(" ")}`],
    };
  }
  console.log(`Compiling ${name} for Node ${process.versions.node} (about 100 s on two cores).`);
  // Headers that came with Node spare node-gyp a download.
  const prefix = dirname(dirname(process.execPath));
  const headers = existsSync(join(prefix, "include", "node", "node.h")) ? { npm_config_nodedir: prefix } : {};
  const { code, output } = await run("npm", ["rebuild", name, "--ignore-scripts=false", "--foreground-scripts"], {
    collect: true,
    env: { CKJS_LINKING: "dynamic", npm_config_build_from_source: "true", ...headers },
  });
  if (code === 0 && loads()) {
    copyBuild(join(folder, "build"), store());
    return { state: "installed", detail: "compiled" };
  }
  const needs = `a C++ compiler, make, python3 and the headers of OpenSSL, curl, zlib, zstd and SASL, to compile ${name}`;
  return {
    state: "missing",
    detail: `its build failed:\n${output.split("\n").slice(-30).join("\n")}`,
    install: [needs],
  };
}
