import { expect, test } from 'vitest';
import { serialQueue } from './serial-queue.ts';

test('runs one after the other, also after an error', async () => {
  const ran: string[] = [];
  const queue = serialQueue();
  const first = Promise.withResolvers<void>();
  const works = [
    queue(async () => {
      await first.promise;
      ran.push('first');
      throw new Error('failed');
    }),
    queue(async () => ran.push('second')),
  ];
  first.resolve();
  expect((await Promise.allSettled(works)).map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
  expect(ran).toEqual(['first', 'second']);
});
