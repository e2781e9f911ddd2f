import { expect, test } from 'vitest';
import { onAbort } from './on-abort.ts';

test.each([
  ['before', 1],
  ['after', 1],
  ['after it was disposed of', 0],
])('calls once for a signal that aborts %s', (when, calls) => {
  const ending = new AbortController();
  let called = 0;
  if (when === 'before') ending.abort();
  const listening = onAbort(ending.signal, () => (called += 1));
  if (when === 'after it was disposed of') listening[Symbol.dispose]();
  ending.abort();
  ending.abort();
  expect(called).toBe(calls);
});
