import { copyFileSync, existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import * as apt from "../apt.mjs";
import { at, cache } from "../paths.mjs";
import { probe, run } from "../run.mjs";

const name = "@confluentinc/kafka-javascript";
const version = JSON.parse(readFileSync(at("package.json"), "utf8")).devDependencies[name];
const compiler = ["g++", "make", "python3"];
const libraries = ["libcurl4-openssl-dev", "libssl-dev", "zlib1g-dev", "libzstd-dev", "libsasl2-dev"];
// All that the loader needs: the addon, and librdkafka beside it by a relative path.
const built = ["Release/confluent-kafka-javascript.node", "deps/librdkafka.so.1", "deps/librdkafka++.so.1"];

/** @typedef {{ root: string, node: string, abi: string, label: string }} Place where it is installed, and for which Node */

/** The project's own, for the Node that runs this. */
const own = { root: at(), node: process.execPath, abi: process.versions.modules, label: process.versions.node };

const loads = ({ root, node }) => probe(node, ["-e", `require(${JSON.stringify(name)})`], { cwd: root }) !== undefined;

const buildOf = ({ root }) => join(root, "node_modules", name, "build");

/** `npm ci` empties node_modules; the build of this very version, Node ABI and platform is kept outside. */
const store = ({ abi }) => cache("confluent", [version, abi, process.platform, process.arch].join("-"));

function copyBuild(from, to) {
  if (!built.every((file) => existsSync(join(from, file)))) return false;
  for (const file of built) {
    mkdirSync(dirname(join(to, file)), { recursive: true });
    copyFileSync(join(from, file), join(to, file));
  }
  return true;
}

/** @param {Place} place */
async function ensureBuild(place) {
  const { root, node, label } = place;
  if (loads(place)) {
    copyBuild(buildOf(place), store(place));
    return { state: "found", detail: `loads in Node ${label}` };
  }
  if (copyBuild(store(place), buildOf(place)) && loads(place))
    return { state: "installed", detail: "earlier build from .cache" };

  const packages = [...compiler, ...libraries];
  if (apt.isDebian && !(await apt.install(packages))) {
    return {
      state: "missing",
      detail: "what its build needs is absent",
      install: [`apt-get install ${apt.missing(packages).join(" ")}`],
    };
  }
  console.log(`Compiling ${name} for Node ${label} (about 100 s on two cores).`);
  // Headers that came with Node spare node-gyp a download.
  const prefix = dirname(dirname(realpathSync(node)));
  const headers = existsSync(join(prefix, "include", "node", "node.h")) ? { npm_config_nodedir: prefix } : {};
  const { code, output } = await run("npm", ["rebuild", name, "--ignore-scripts=false", "--foreground-scripts"], {
    cwd: root,
    collect: true,
    env: {
      PATH: `${dirname(realpathSync(node))}:${process.env.PATH}`,
      CKJS_LINKING: "dynamic",
      npm_config_build_from_source: "true",
      ...headers,
    },
  });
  if (code === 0 && loads(place)) {
    copyBuild(buildOf(place), store(place));
    return { state: "installed", detail: `compiled for Node ${label}` };
  }
  const needs = `a C++ compiler, make, python3 and the headers of OpenSSL, curl, zlib, zstd and SASL, to compile ${name}`;
  return {
    state: "missing",
    detail: `its build failed:\n${output.split("\n").slice(-30).join("\n")}`,
    install: [needs],
  };
}

/** Confluent's Kafka client, compiled for this Node. */
export const ensureConfluent = () => ensureBuild(own);

/** The same for Node 24, in a folder of its own: a build serves one Node. */
export async function ensureConfluent24() {
  const root = cache("tools", "confluent-node24");
  const node = cache("tools", "runtimes", "bin", "node24");
  const abi = probe(node, ["-p", "process.versions.modules"])?.trim();
  if (abi === undefined) return { state: "missing", detail: "Node 24 is missing", install: [] };
  if (!existsSync(join(root, "node_modules", name))) {
    mkdirSync(root, { recursive: true });
    writeFileSync(join(root, "package.json"), JSON.stringify({ private: true, dependencies: { [name]: version } }));
    await run("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: root, collect: true });
  }
  return ensureBuild({ root, node, abi, label: "24" });
}
