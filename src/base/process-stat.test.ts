import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { parseProcessStat } from './process-stat.ts';

const rest = Array.from({ length: 17 }, (_, i) => i).join(' ');

test('the fields follow a name that can have spaces and parentheses', () => {
  expect(parseProcessStat(`7 (a) b) (c) S 1 ${rest} 500 0`)).toEqual({
    state: 'S',
    parent: 1,
    startTime: '500',
  });
});

test('an incomplete text is no process', () => {
  expect(parseProcessStat('')).toBeUndefined();
  expect(parseProcessStat(`7 (a) S 1 ${rest}`)).toBeUndefined();
});

test('this process has its parent', async () => {
  const stat = parseProcessStat(await readFile('/proc/self/stat', 'utf8'));
  expect(stat).toMatchObject({ parent: process.ppid, startTime: expect.stringMatching(/^\d+$/) });
});
