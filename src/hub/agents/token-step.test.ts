import { expect, test } from 'vitest';
import { refuse } from './agent-identity.ts';
import type { ReviewedToken } from './token-review.ts';
import {
  type CheckedToken,
  stepAfterCheck,
  defaultTokenTimes as times,
  waitBeforeCheckMs,
} from './token-step.ts';

const minute = 60_000;
const now = 1_700_000_000_000;
const checked: CheckedToken = {
  expiresAtMs: now + 60 * minute,
  confirmedMs: now - minute,
  doubts: 0,
  isUnchecked: false,
};

test.each([
  ['a quarter of an hour at most', {}, 15 * minute],
  ['half of what is left', { expiresAtMs: now + 10 * minute }, 5 * minute],
  ['a little even if nothing is left', { expiresAtMs: now - minute }, 5_000],
  ['half a minute while the API server does not answer', { isUnchecked: true }, 30_000],
  ['ten seconds before a second look', { doubts: 1 }, 10_000],
])('the agent is asked after %s', (_what, changes, waitMs) => {
  expect(waitBeforeCheckMs({ ...checked, ...changes }, now, times)).toBe(waitMs);
});

const accepted: ReviewedToken = {
  kind: 'accepted',
  token: 'secret',
  identity: { node: 'node-1', podName: 'podcap', podUid: 'uid' },
  expiresAtMs: now + 120 * minute,
};
const invalid = refuse('TokenInvalid', 'no');
const unchecked = refuse('TokenUnchecked', 'down');

test('a fresh token is the one that counts, whatever was before', () => {
  const before = { ...checked, doubts: 1, isUnchecked: true, problem: 'down' };
  expect(stepAfterCheck(before, accepted, now, times)).toEqual({
    kind: 'keep',
    checked: { expiresAtMs: now + 120 * minute, confirmedMs: now, doubts: 0, isUnchecked: false },
  });
});

test('a refusal ends the link only after a second look', () => {
  const first = stepAfterCheck(checked, invalid, now, times);
  expect(first).toMatchObject({ kind: 'keep', checked: { doubts: 1 } });
  const doubted = first.kind === 'keep' ? first.checked : checked;
  expect(stepAfterCheck(doubted, invalid, now, times)).toEqual({ kind: 'end', refusal: invalid });
});

test('a token of another agent ends the link at once', () => {
  const other = refuse('OtherAgent', 'other');
  expect(stepAfterCheck(checked, other, now, times)).toEqual({ kind: 'end', refusal: other });
});

test('an API server that does not answer ends no link for two hours, even if the token expires', () => {
  const expired = { ...checked, expiresAtMs: now - minute };
  expect(stepAfterCheck(expired, unchecked, now, times)).toMatchObject({
    kind: 'keep',
    checked: { isUnchecked: true, problem: 'down' },
  });
  const long = { ...expired, confirmedMs: now - times.longestUncheckedMs };
  expect(stepAfterCheck(long, unchecked, now, times)).toEqual({ kind: 'end', refusal: unchecked });
});

test('a refusal before is not forgotten because the API server does not answer', () => {
  expect(stepAfterCheck({ ...checked, doubts: 1 }, unchecked, now, times)).toMatchObject({
    checked: { doubts: 1 },
  });
});

test('an agent that sends no token keeps its link until the known one expires', () => {
  expect(stepAfterCheck(checked, undefined, now, times)).toEqual({ kind: 'keep', checked });
  expect(stepAfterCheck({ ...checked, expiresAtMs: now }, undefined, now, times)).toMatchObject({
    kind: 'end',
    refusal: { reason: 'TokenExpired' },
  });
});
