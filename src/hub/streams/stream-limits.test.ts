import { expect, test } from 'vitest';
import { streamLimits } from './stream-limits.ts';

test('counts what is open, of a user and of all', () => {
  const limits = streamLimits({ perHub: 3, perUser: 2 });
  const first = limits.open('ann');
  limits.open('ann');
  expect(limits.open('ann')).toEqual({ kind: 'refused', bound: 'perUser' });
  limits.open('bob');
  expect(limits.open('cid')).toEqual({ kind: 'refused', bound: 'perHub' });
  if (first.kind !== 'opened') throw new Error('refused');
  first[Symbol.dispose]();
  // Twice gives up one place.
  first[Symbol.dispose]();
  expect(limits.open('cid').kind).toBe('opened');
  expect(limits.open('cid')).toEqual({ kind: 'refused', bound: 'perHub' });
});

test('a user may be named like anything', () => {
  const limits = streamLimits({ perHub: 10, perUser: 1 });
  for (const user of ['__proto__', 'constructor', '']) {
    expect(limits.open(user).kind).toBe('opened');
    expect(limits.open(user)).toEqual({ kind: 'refused', bound: 'perUser' });
  }
});
