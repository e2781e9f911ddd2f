import { expect, test } from 'vitest';
import { wakeup } from './wakeup.ts';

test('a ring while nobody waits is kept for the next wait, and many are one', async () => {
  const bell = wakeup();
  bell.wake();
  bell.wake();
  await bell.wait();
  const second = bell.wait(0).then(() => 'time passed');
  expect(await second).toBe('time passed');
});

test('a ring ends a wait that has no time', async () => {
  const bell = wakeup();
  const waited = bell.wait().then(() => 'rung');
  bell.wake();
  expect(await waited).toBe('rung');
});
