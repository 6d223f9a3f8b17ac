import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));
const tools = fileURLToPath(new URL("../../.cache/tools/runtimes/bin/", import.meta.url));

/** How each runtime runs a TypeScript file of this repository. */
const commands = {
  node: [process.execPath, "--import", "tsx"],
  deno: [`${tools}deno`, "run", "-A", "--no-prompt", "--no-lock"],
  bun: [`${tools}bun`, "run"],
} as const;

/** A runtime that tests start programs on. */
export type RuntimeName = keyof typeof commands;

/** A program that was started; its lines are waited for by their beginning. */
export interface Program {
  /** What follows `start` in the first line that begins so; rejects when the program ends before. */
  line(start: string): Promise<string>;
  /** Every line so far. */
  readonly lines: readonly string[];
  signal(name: NodeJS.Signals): void;
  /** Resolves when it has ended. */
  readonly ended: Promise<void>;
}

/** Starts a program of the repository. Ends with this process at the latest. */
export function startProgram(runtime: RuntimeName, file: string, args: readonly string[]): Program {
  const [command, ...flags] = commands[runtime];
  const child: ChildProcess = spawn(command, [...flags, file, ...args], {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const kill = (): void => void child.kill("SIGKILL");
  process.once("exit", kill);
  const lines: string[] = [];
  const complaints: string[] = [];
  const waiting = new Set<() => void>();
  let over = false;
  const look = (): void => {
    for (const each of waiting) each();
  };
  createInterface({ input: child.stdout! }).on("line", (line) => {
    lines.push(line);
    look();
  });
  createInterface({ input: child.stderr! }).on("line", (line) => void complaints.push(line));
  const ended = new Promise<void>((resolve) => {
    child.once("close", () => {
      over = true;
      process.off("exit", kill);
      look();
      resolve();
    });
  });
  return {
    lines,
    ended,
    signal: (name) => void child.kill(name),
    line: (start) =>
      new Promise((resolve, reject) => {
        const check = (): void => {
          const found = lines.find((line) => line.startsWith(start));
          if (found === undefined && !over) return;
          waiting.delete(check);
          if (found !== undefined) resolve(found.slice(start.length).trim());
          else reject(new Error(`${runtime} ${file} ended without "${start}":\n${complaints.slice(-30).join("\n")}`));
        };
        waiting.add(check);
        check();
      }),
  };
}
