import { expect, test } from 'vitest';
import { requestTimeoutMs } from './request-timeout.ts';

test.each([
  [[], undefined],
  [['--context=a'], undefined],
  [['--request-timeout=0'], undefined],
  [['--request-timeout=0s'], undefined],
  [['--request-timeout=5'], 5_000],
  [['--request-timeout=1.5s'], 1_500],
  [['--request-timeout=1h30m'], 5_400_000],
  [['--request-timeout=200ms'], 200],
  [['--request-timeout=5', '--request-timeout=7s'], 7_000],
  [['--request-timeout=soon'], undefined],
  [['--request-timeout=99999h'], 2_147_483_647],
])('%j: %s ms', (flags, ms) => {
  expect(requestTimeoutMs(flags)).toBe(ms);
});
