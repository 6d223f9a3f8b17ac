import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";

const bench = (args: readonly string[], env: Record<string, string> = {}): { status: number | null; said: string } => {
  const { status, stderr } = spawnSync(process.execPath, ["scripts/bench.mjs", ...args], {
    env: { ...process.env, BENCH_SMOKE: "", ...env },
    encoding: "utf8",
  });
  return { status, said: stderr.trim() };
};

describe("npm run bench", () => {
  test("refuses to write down a smoke run, asked for in either way", () => {
    const refusal = { status: 1, said: "A smoke run is never written down." };
    expect(bench(["--write", "--smoke"])).toEqual(refusal);
    expect(bench(["--write"], { BENCH_SMOKE: "1" })).toEqual(refusal);
  });

  test("refuses an option that it does not know", () => {
    expect(bench(["--wirte"])).toEqual({ status: 1, said: "--wirte: there are --write and --smoke." });
  });
});
