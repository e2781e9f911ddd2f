import { expect, test } from 'vitest';
import { trackProgress } from './progress.ts';

test('work that is not done within its limit is stuck, until it is done', () => {
  let nowMs = 1_000;
  const progress = trackProgress(() => nowMs);
  expect(progress.stuck()).toEqual([]);
  const planned = progress.expect('planning', 60_000);
  progress.expect('measuring captures', 300_000);
  nowMs += 60_000;
  expect(progress.stuck()).toEqual([]);
  nowMs += 1_500;
  expect(progress.stuck()).toEqual(['planning: not done for 61 s']);
  planned();
  expect(progress.stuck()).toEqual([]);
  nowMs += 240_000;
  expect(progress.stuck()).toEqual([
    'planning: not done for 240 s',
    'measuring captures: not done for 301 s',
  ]);
});
