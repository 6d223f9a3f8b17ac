import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { conformanceCases } from "waybill/testing";

const root = fileURLToPath(new URL("../../", import.meta.url));
const tools = fileURLToPath(new URL("../../.cache/tools/runtimes/bin/", import.meta.url));
const example = "./examples/custom-transport/conformance";

/** What a runner printed, without colours. Rejects when it ended with an error. */
async function output(command: string, args: readonly string[]): Promise<string> {
  const env = { ...process.env, NO_COLOR: "1" };
  const { stdout, stderr } = await promisify(execFile)(command, args, { cwd: root, env, maxBuffer: 10_000_000 });
  return `${stdout}\n${stderr}`;
}

const count = (text: string, pattern: RegExp): number => Number(pattern.exec(text)?.[1]);

describe("the suite under runtimes' own runners", () => {
  test("runs under Deno.test, and what the transport lacks is shown as ignored", async () => {
    const args = ["test", "-A", "--no-check", "--no-lock", `${example}.deno.ts`];
    const text = await output(`${tools}deno`, args);
    const [passed, ignored] = [count(text, /(\d+) passed/), count(text, /(\d+) ignored/)];
    expect(passed).toBeGreaterThan(45);
    expect(passed + ignored).toBe(conformanceCases.length);
  });
  test("runs under bun:test, and what the transport lacks is shown as skipped", async () => {
    const text = await output(`${tools}bun`, ["test", `${example}.bun.ts`, "--timeout", "90000"]);
    const [passed, skipped] = [count(text, /(\d+) pass/), count(text, /(\d+) skip/)];
    expect(passed).toBeGreaterThan(45);
    expect(passed + skipped).toBe(conformanceCases.length);
  });
});
