import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Row } from "../result.ts";
import { entries } from "../support/manifest.ts";
import { cache, root } from "../support/paths.ts";
import { median } from "../support/statistics.ts";
import { smoke } from "../support/turns.ts";

const samples = smoke ? 2 : 9;

/** What an application imports beside an entry; entries without a vendor have none. */
const vendors: Readonly<Record<string, string>> = {
  "./nats": "@nats-io/nats-core",
  "./jetstream": "@nats-io/jetstream",
  "./kafka/confluent": "@confluentinc/kafka-javascript",
  "./kafka/platformatic": "@platformatic/kafka",
  "./node": "@nats-io/transport-node",
  "./deno": "@nats-io/transport-node",
  "./bun": "@nats-io/transport-node",
  "./browser": "@nats-io/nats-core",
  "./testing": "ws",
};

/** How long a fresh process takes for one import, in milliseconds: without its own start. */
async function importMs(node: string, specifier: string): Promise<number> {
  const script = `const from = performance.now(); await import(${JSON.stringify(specifier)}); console.log(performance.now() - from);`;
  const { stdout } = await promisify(execFile)(node, ["--input-type=module", "-e", script], { cwd: root });
  return Number(stdout.trim().split("\n").at(-1));
}

/** Each entry of the built package, which never loads its vendor, against that vendor. A process for each sample. */
export async function imports(): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const { subpath, name, file } of entries) {
    const node = subpath === "./kafka/platformatic" ? cache("tools/runtimes/bin/node24") : process.execPath;
    const vendor = vendors[subpath];
    const mine: number[] = [];
    const others: number[] = [];
    for (let n = 0; n < samples; n++) {
      mine.push(await importMs(node, cache("bench", file)));
      if (vendor !== undefined) others.push(await importMs(node, vendor));
    }
    rows.push({
      measure: `import ${name}`,
      ours: { name, value: median(mine), unit: "ms" },
      ...(vendor !== undefined && {
        theirs: { name: vendor, value: median(others), unit: "ms" },
        ratio: median(others) / median(mine),
      }),
      rounds: samples,
    });
  }
  return rows;
}
