import { beforeEach } from 'vitest';

declare module 'vitest' {
  interface TaskMeta {
    isKnownFailure?: true;
  }
}

/**
 * Runs before every test (vitest.config.ts) and marks each `test.fails`, which vitest's JSON report does not distinguish
 * from other tests. vitest-report.ts counts the marks.
 */
beforeEach(({ task }) => {
  if (task.fails === true) task.meta.isKnownFailure = true;
});
