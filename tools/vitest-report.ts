import path from 'node:path';
import { checkout } from './target.ts';

/** What a run of vitest found. A skipped test counts as failed: nothing may be left out silently. */
export type TestResults = {
  readonly passed: number;
  /** How many of those that passed are `test.fails`: they check a known failure, and pass because it still fails. */
  readonly knownFailures: number;
  readonly failed: number;
  /** What did not pass, and why. */
  readonly failures: readonly string[];
};

/** Reads vitest's JSON report. A `test.fails` that succeeds counts as failed, as vitest reports it. */
export function readVitestReport(json: string, exitCode: number): TestResults {
  const report: VitestReport = JSON.parse(json);
  const passed = report.numPassedTests;
  const failed = report.numTotalTests - passed;
  // A file that does not load, an error outside a test and a run without any test show only in the exit code.
  const isBroken = failed === 0 && (exitCode !== 0 || passed === 0);
  return {
    passed,
    knownFailures: knownFailuresOf(report),
    failed: isBroken ? 1 : failed,
    failures: failuresOf(report),
  };
}

/** The part of the report that is read here. */
type VitestReport = {
  readonly numPassedTests: number;
  readonly numTotalTests: number;
  readonly testResults: readonly {
    readonly name: string;
    /** Why the file did not load; '' if it did. */
    readonly message: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages: readonly string[];
      /** mark-known-failures.ts sets it. */
      readonly meta: { readonly isKnownFailure?: true };
    }[];
  }[];
};

function knownFailuresOf({ testResults }: VitestReport): number {
  return testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .filter(({ status, meta }) => status === 'passed' && meta.isKnownFailure === true).length;
}

function failuresOf({ testResults }: VitestReport): string[] {
  return testResults.flatMap(({ name, message, assertionResults }) => {
    const file = path.relative(checkout, name);
    const failed = assertionResults
      .filter((assertion) => assertion.status !== 'passed')
      .map(({ fullName, failureMessages }) => [fullName, ...failureMessages].join('\n'))
      .map((why) => why.replaceAll(/\n +at .*node_modules.*/g, ''));
    return [...(message === '' ? [] : [message]), ...failed].map((why) => `${file}: ${why}`);
  });
}
