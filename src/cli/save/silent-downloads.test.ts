import { expect, test } from 'vitest';
import { silentDownloads } from './silent-downloads.ts';

test('a download that waits for too long is named once, and again when it waits anew', () => {
  const downloads = silentDownloads(10);
  downloads.waits(0, 0);
  downloads.waits(1, 5);
  downloads.waits(2, 0);
  downloads.done(2);
  expect([downloads.due(9), downloads.due(10), downloads.due(14), downloads.due(15)]).toEqual([
    [],
    [0],
    [],
    [1],
  ]);
  downloads.waits(0, 20);
  expect([downloads.due(29), downloads.due(30)]).toEqual([[], [0]]);
});
