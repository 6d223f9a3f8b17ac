// Brings in what the tests need beyond Node, one line per item. As root on Debian or Ubuntu it installs what is missing;
// elsewhere it names what to install and fails. Nothing is skipped silently.
import { pathToFileURL } from "node:url";
import { canInstall, isDebian } from "./lib/apt.mjs";
import { checkNode, ensureDependencies } from "./lib/dependencies.mjs";
import { duration } from "./lib/report.mjs";
import { ensureChromium } from "./lib/tools/chromium.mjs";
import { ensureConfluent, ensureConfluent24 } from "./lib/tools/confluent.mjs";
import { ensureJava, ensureKafka } from "./lib/tools/kafka.mjs";
import { ensureNatsServer } from "./lib/tools/nats-server.mjs";
import { ensurePostgres } from "./lib/tools/postgres.mjs";
import { ensureRuntimes } from "./lib/tools/runtimes.mjs";

/** Every item by name, in the order in which they are ensured. */
const items = {
  packages: ensureDependencies,
  "nats-server": ensureNatsServer,
  java: ensureJava,
  kafka: ensureKafka,
  postgres: ensurePostgres,
  "confluent client": ensureConfluent,
  chromium: ensureChromium,
  runtimes: ensureRuntimes,
  "confluent 24": ensureConfluent24,
};

/** The names that {@link setUp} takes. */
export const allItems = Object.keys(items);

/**
 * Ensures the named items and prints what was found or installed.
 *
 * @param {readonly string[]} names
 * @returns {Promise<string[]>} the items that are still missing
 */
export async function setUp(names = allItems) {
  checkNode();
  const missing = [];
  const toInstall = [];
  for (const name of allItems.filter((item) => names.includes(item))) {
    const startedMs = performance.now();
    const { state, detail, install = [] } = await items[name]();
    console.log(`${name.padEnd(17)} ${state.padEnd(9)} ${detail} (${duration(performance.now() - startedMs)})`);
    if (state !== "missing") continue;
    missing.push(name);
    toInstall.push(...install);
    if (name === "packages") break;
  }
  if (missing.length > 0) {
    const why = canInstall
      ? "The set-up could not install"
      : `The set-up installs only as root on Debian or Ubuntu (${isDebian ? "not root here" : "another system here"}). Please install`;
    console.error(`\n${why}:\n${toInstall.map((line) => `  - ${line}`).join("\n")}`);
  }
  return missing;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  process.exit((await setUp()).length > 0 ? 1 : 0);
}
