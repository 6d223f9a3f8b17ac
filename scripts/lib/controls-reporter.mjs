import { writeFileSync } from "node:fs";

/** What tells kinds of errors apart. Vitest's own JSON report has only the stack, without a cause and a time-out's words. */
const told = ({ name, message, cause }) => ({
  name: String(name),
  message: String(message).slice(0, 400),
  ...(cause && typeof cause === "object" && { cause: told(cause) }),
});

/** Writes what became of each test, with its errors, for the verdict of test/controls. */
// biome-ignore lint/style/noDefaultExport: vitest loads a reporter by it
export default class ControlsReporter {
  /**
   * @param {readonly import("vitest/node").TestModule[]} modules
   * @param {readonly { name?: string, message: string, cause?: unknown }[]} unhandledErrors
   */
  onTestRunEnd(modules, unhandledErrors) {
    const tests = [];
    const elsewhere = unhandledErrors.map(told);
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        const { state, errors = [] } = test.result();
        const failed = state === "failed";
        const name = `${module.relativeModuleId} > ${test.fullName}`;
        const durationMs = Math.ceil(test.diagnostic()?.duration ?? 0);
        if (failed || state === "passed") tests.push({ name, failed, durationMs, errors: errors.map(told) });
      }
      // A file that does not load, and a hook that throws.
      elsewhere.push(...module.errors().map(told));
      for (const suite of module.children.allSuites()) elsewhere.push(...suite.errors().map(told));
    }
    writeFileSync(process.env.WAYBILL_REPORT, JSON.stringify({ tests, elsewhere }));
  }
}
