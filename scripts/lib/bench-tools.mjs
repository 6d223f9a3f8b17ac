import { setUp } from "../setup-test.mjs";
import { ensurePeers, ensureWatermill } from "./bench-peers.mjs";
import { duration } from "./report.mjs";

/** Items of the set-up of tests by the tool that a comparison names. */
const items = {
  "nats-server": ["nats-server"],
  kafka: ["java", "kafka"],
  "confluent client": ["confluent client"],
  chromium: ["chromium"],
  runtimes: ["runtimes"],
};
const own = { peers: ensurePeers, watermill: ensureWatermill };

/**
 * Brings in what comparisons need, one line per item.
 *
 * @param {ReadonlySet<string>} tools
 * @returns {Promise<boolean>} whether nothing is missing
 */
export async function ensureTools(tools) {
  let missing = (await setUp([...tools].flatMap((tool) => items[tool] ?? []))).length;
  for (const [name, ensure] of Object.entries(own).filter(([name]) => tools.has(name))) {
    const startedMs = performance.now();
    const { state, detail } = await ensure();
    console.log(`${name.padEnd(17)} ${state.padEnd(9)} ${detail} (${duration(performance.now() - startedMs)})`);
    if (state === "missing") missing++;
  }
  return missing === 0;
}
