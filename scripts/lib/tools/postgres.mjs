import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import * as apt from "../apt.mjs";
import { cache } from "../paths.mjs";
import { probe } from "../run.mjs";

const oldest = 13;
const target = cache("tools", "postgresql");
/** Where Debian keeps the programs of a server, which are on nobody's PATH. */
const debian = "/usr/lib/postgresql";
const clusterConf = "/etc/postgresql-common/createcluster.conf";

/** The version of the server whose programs lie in `folder`, or undefined when it is missing or too old. */
function usable(folder) {
  if (!existsSync(join(folder, "initdb"))) return undefined;
  const version = probe(join(folder, "postgres"), ["--version"])?.match(/\(PostgreSQL\) (\d+)[\w.]*/);
  return version && Number(version[1]) >= oldest ? `PostgreSQL ${version[0].slice(13)}` : undefined;
}

/** Links the newest programs of this machine. */
function link() {
  const found = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  const path = probe("sh", ["-c", "command -v postgres"]);
  const folders = found.map((version) => join(debian, version, "bin"));
  if (path) folders.push(dirname(realpathSync(path)));
  for (const folder of folders) {
    const version = usable(folder);
    if (!version) continue;
    rmSync(target, { force: true });
    symlinkSync(folder, target);
    return `${version}, ${folder}`;
  }
  return undefined;
}

/** Installs the server without the cluster that the package would make and start: the tests make their own. */
async function byApt() {
  if (!(await apt.install(["postgresql-common"]))) return false;
  if (existsSync(clusterConf)) {
    const conf = readFileSync(clusterConf, "utf8");
    writeFileSync(clusterConf, conf.replace(/^#?\s*create_main_cluster\b.*$/m, "create_main_cluster = false"));
  }
  return apt.install(["postgresql"]);
}

/** The programs of a PostgreSQL server in the folder `.cache/tools/postgresql`. */
export async function ensurePostgres() {
  mkdirSync(cache("tools"), { recursive: true });
  const found = link();
  if (found) return { state: "found", detail: found };
  if (apt.canInstall && (await byApt())) {
    const installed = link();
    if (installed) return { state: "installed", detail: `${installed} by apt-get` };
  }
  const commands = [
    `PostgreSQL ${oldest} or newer with postgres and initdb on the PATH (Debian: apt-get install postgresql)`,
  ];
  return { state: "missing", detail: "no PostgreSQL server", install: commands };
}
