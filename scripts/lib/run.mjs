import { spawn, spawnSync } from "node:child_process";
import { createInterface } from "node:readline";
import { root } from "./paths.mjs";

/**
 * What a command prints, or undefined when it is missing or fails. For short questions such as `--version`.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {import("node:child_process").SpawnSyncOptions} [options]
 * @returns {string | undefined}
 */
export function probe(command, args, options = {}) {
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd: root,
    encoding: "utf8",
    timeout: 60_000,
    ...options,
  });
  return status === 0 ? `${stdout}${stderr}`.trim() : undefined;
}

/** Kills what a command started, its own children included. */
function killGroup(child, signal) {
  try {
    process.kill(-child.pid, signal);
  } catch {
    child.kill(signal);
  }
}

/**
 * Runs a command and waits for it. Its output is streamed line by line behind `label`, collected when `collect` is set,
 * or goes straight to this process's own output. A signal to this process reaches the command and its children.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {{ label?: string, collect?: boolean, cwd?: string, env?: Record<string, string>, timeoutMs?: number }} [options]
 * @returns {Promise<{ code: number, output: string, durationMs: number, timedOut: boolean }>}
 */
export function run(command, args, { label, collect = false, cwd = root, env = {}, timeoutMs } = {}) {
  const piped = collect || label !== undefined;
  const startedMs = performance.now();
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ["ignore", piped ? "pipe" : "inherit", piped ? "pipe" : "inherit"],
    detached: process.platform !== "win32",
  });

  const lines = [];
  for (const stream of piped ? [child.stdout, child.stderr] : []) {
    createInterface({ input: stream }).on("line", (line) => {
      lines.push(line);
      if (label !== undefined) console.log(`  ${label} | ${line}`);
    });
  }

  let timedOut = false;
  const timer =
    timeoutMs &&
    setTimeout(() => {
      timedOut = true;
      killGroup(child, "SIGKILL");
    }, timeoutMs);
  let interrupted = false;
  const forward = (signal) => {
    interrupted = true;
    killGroup(child, signal);
  };
  process.on("SIGINT", forward).on("SIGTERM", forward);

  return new Promise((resolve) => {
    const finish = (code, extra = "") => {
      clearTimeout(timer);
      process.off("SIGINT", forward).off("SIGTERM", forward);
      if (interrupted) process.exit(130);
      resolve({
        code,
        output: [...lines, extra].join("\n").trim(),
        durationMs: performance.now() - startedMs,
        timedOut,
      });
    };
    child.once("error", (error) => finish(127, `${command}: ${error.message}`));
    child.once("close", (code) => finish(code ?? 1));
  });
}
