import { beforeEach } from 'vitest';

declare module 'vitest' {
  interface TaskMeta {
    isKnownFailure?: true;
  }
}

/**
 * Runs before every test (vitest.config.ts) and marks each `test.fails`. Without the mark, vitest's JSON report does not
 * tell it from a test; vitest-report.ts counts the marks.
 */
beforeEach(({ task }) => {
  if (task.fails === true) task.meta.isKnownFailure = true;
});
