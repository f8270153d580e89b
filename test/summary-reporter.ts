import type { Reporter, TestModule } from "vitest/node";

/** Prints the run's last line: `tests: N passed, N failed, N skipped`. A file that could not be loaded counts as failed. */
export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const count = { passed: 0, failed: unhandledErrors.length, skipped: 0 };
    for (const module of modules) {
      if (module.errors().length > 0) count.failed += 1;
      for (const test of module.children.allTests()) {
        const state = test.result().state;
        if (state === "passed" || state === "failed" || state === "skipped") count[state] += 1;
      }
    }
    const line = `tests: ${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`;
    process.on("exit", () => process.stdout.write(`${line}\n`));
  }
}
