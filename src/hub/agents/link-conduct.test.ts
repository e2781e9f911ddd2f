import { expect, test } from 'vitest';
import { linkConduct } from './link-conduct.ts';

test('an agent that flooded the hub has to wait for a minute, and no other has', () => {
  let nowMs = 0;
  const conduct = linkConduct(() => nowMs);
  conduct.flooded('a');
  expect(conduct.connect('a')).toMatchObject({ kind: 'refused', reason: 'Flood' });
  expect(conduct.connect('b')).toBeUndefined();
  nowMs = 60_000;
  expect(conduct.connect('a')).toBeUndefined();
});

test('an agent that connects again and again gets a link every 10 s', () => {
  let nowMs = 0;
  const conduct = linkConduct(() => nowMs);
  let links = 0;
  for (; nowMs < 600_000; nowMs += 100) if (!conduct.connect('a')) links += 1;
  expect(links).toBeLessThanOrEqual(16 + 60);
  conduct.connect('a');
  expect(conduct.connect('a')?.message).toMatch(/^this agent has connected too often: it has to wait \d+ s$/);
  expect(conduct.connect('b')).toBeUndefined();
});
