import { writeFileSync } from "node:fs";

/** Vitest's own JSON report has no room for why a test was skipped; this one holds just what the summary prints. */
export default class SummaryReporter {
  /**
   * @param {readonly import("vitest/node").TestModule[]} modules
   * @param {readonly { message?: string }[]} unhandledErrors
   */
  onTestRunEnd(modules, unhandledErrors) {
    const counts = { passed: 0, failed: 0, skips: [], failures: [] };
    const fail = (what) => {
      counts.failed += 1;
      counts.failures.push(what);
    };
    for (const module of modules) {
      const path = module.relativeModuleId;
      for (const test of module.children.allTests()) {
        const { state, note } = test.result();
        const title = `${path} > ${test.fullName}`;
        if (state === "passed") counts.passed += 1;
        else if (state === "failed") fail(title);
        else counts.skips.push({ title, reason: note ?? (state === "pending" ? "not run" : "no reason given") });
      }
      // A file that does not load, and a hook that throws outside every test.
      for (const error of module.errors()) fail(`${path}: ${error.message}`);
      for (const suite of module.children.allSuites()) {
        for (const error of suite.errors()) fail(`${path} > ${suite.fullName}: ${error.message}`);
      }
    }
    for (const error of unhandledErrors) fail(`unhandled: ${error.message}`);
    if (process.env.WAYBILL_REPORT) writeFileSync(process.env.WAYBILL_REPORT, JSON.stringify(counts));
  }
}
