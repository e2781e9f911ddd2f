import { expect, test } from 'vitest';
import { doorbell } from './wakeup.ts';

test('a ring while nobody waits is kept for the next wait, and many are one', async () => {
  const bell = doorbell();
  bell.ring();
  bell.ring();
  await bell.wait();
  const second = bell.wait(0).then(() => 'time passed');
  expect(await second).toBe('time passed');
});

test('a ring ends a wait that has no time', async () => {
  const bell = doorbell();
  const waited = bell.wait().then(() => 'rung');
  bell.ring();
  expect(await waited).toBe('rung');
});
