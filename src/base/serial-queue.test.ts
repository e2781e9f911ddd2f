import { expect, test } from 'vitest';
import { inTurn } from './serial-queue.ts';

test('one after the other, whatever became of the one before', async () => {
  const told: string[] = [];
  const turn = inTurn();
  const first = Promise.withResolvers<void>();
  const works = [
    turn(async () => {
      await first.promise;
      told.push('first');
      throw new Error('failed');
    }),
    turn(async () => told.push('second')),
  ];
  first.resolve();
  expect((await Promise.allSettled(works)).map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
  expect(told).toEqual(['first', 'second']);
});
