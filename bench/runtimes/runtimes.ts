import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Row } from "../result.ts";
import { cache } from "../support/paths.ts";
import { median } from "../support/statistics.ts";
import { scaled, smoke } from "../support/turns.ts";

const program = cache("bench/runtime-core.mjs");
const bin = (name: string): string => cache("tools/runtimes/bin", name);
const node = { name: "Node 24", command: [bin("node24")] };
const others = [
  { name: "Deno", command: [bin("deno"), "run", "-A", "--no-prompt", "--no-lock", "--no-config"] },
  { name: "Bun", command: [bin("bun"), "run"] },
];
const processes = smoke ? 1 : 3;

async function perSecond(command: readonly string[]): Promise<number> {
  const { count, rounds, warmUp } = scaled({ count: 10_000, rounds: 10, warmUp: 5 });
  const [file, ...flags] = command;
  const args = [...flags, program, ...[count, rounds, warmUp].map(String)];
  return Number((await promisify(execFile)(file!, args)).stdout);
}

/** The work of core alone on each runtime against Node 24, a process for each turn. */
export async function runtimes(): Promise<readonly Row[]> {
  const rates = new Map([node, ...others].map(({ name }) => [name, [] as number[]]));
  for (let n = 0; n < processes; n++) {
    for (const { name, command } of [node, ...others]) rates.get(name)!.push(await perSecond(command));
  }
  const theirs = rates.get(node.name)!;
  return others.map(({ name }) => {
    const ours = rates.get(name)!;
    return {
      measure: `Core on ${name}`,
      ours: { name, value: median(ours), unit: "per second" as const },
      theirs: { name: node.name, value: median(theirs), unit: "per second" as const },
      ratio: median(ours.map((rate, n) => rate / theirs[n]!)),
      due: { atLeast: 0.75 },
      rounds: processes,
    };
  });
}
