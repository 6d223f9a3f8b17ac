import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { checkNode, ensureDependencies } from "./dependencies.mjs";
import { at, root } from "./paths.mjs";

/**
 * Runs a TypeScript program of this repository in place of this process: same terminal, same arguments, same exit code.
 *
 * @param {string} file
 */
export async function runMain(file) {
  checkNode();
  const { state, detail } = await ensureDependencies();
  if (state === "missing") {
    console.error(detail);
    process.exit(1);
  }
  if (!existsSync(at(file))) {
    console.error(`${file} does not exist.`);
    process.exit(1);
  }
  const child = spawn(process.execPath, ["--import", "tsx", file, ...process.argv.slice(2)], {
    cwd: root,
    stdio: "inherit",
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.once("close", (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}
