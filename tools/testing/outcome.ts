import type { TestModule } from 'vitest/node';

export interface Outcome {
  passed: number;
  failed: number;
  skipped: number;
  /** A sentence for each skipped test, each that passed late, and each failure that is not a test's own. */
  remarks: string[];
}

export const noOutcome = (): Outcome => ({ passed: 0, failed: 0, skipped: 0, remarks: [] });

/** A file that did not load, or whose hook failed, counts as one failure unless a test of it failed as well. */
const countModule = (module: TestModule, outcome: Outcome): void => {
  let failedTests = 0;
  for (const test of module.children.allTests()) {
    const result = test.result();
    if (result.state === 'passed') {
      outcome.passed += 1;
      if (test.diagnostic()?.flaky) {
        outcome.remarks.push(`flaky: ${module.relativeModuleId} > ${test.fullName}: passed at its second attempt`);
      }
    } else if (result.state === 'failed') failedTests += 1;
    else {
      outcome.skipped += 1;
      const why = result.state === 'skipped' && result.note !== undefined ? result.note : 'it gives no reason';
      outcome.remarks.push(`skipped: ${module.relativeModuleId} > ${test.fullName}: ${why}`);
    }
  }
  outcome.failed += failedTests;
  if (failedTests === 0 && !module.ok()) {
    outcome.failed += 1;
    outcome.remarks.push(`failed: ${module.relativeModuleId}: the file or one of its hooks, see above`);
  }
};

/** Counts tests, not files. An error outside of all tests counts as one failure, and so does a run without tests. */
export const countTests = (modules: readonly TestModule[], unhandledErrors: readonly unknown[]): Outcome => {
  const outcome = noOutcome();
  for (const module of modules) countModule(module, outcome);
  if (unhandledErrors.length > 0) {
    outcome.failed += 1;
    outcome.remarks.push(`failed: ${unhandledErrors.length} errors outside of the tests, see above`);
  }
  if (modules.length === 0) {
    outcome.failed += 1;
    outcome.remarks.push('failed: no test file was found');
  }
  return outcome;
};
