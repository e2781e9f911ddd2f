import { expect, test } from 'vitest';
import { frozenLeftOut, frozenNotes, notCapturedNote } from './save-notes.ts';

const ring = (number: number, files: number) => ({
  number,
  time: '2026-11-30T10:00:00Z',
  causes: [],
  files,
  bytes: 1,
});

test('frozen rings that nobody asked for are named, once for all Pods that have the same', () => {
  const both = { frozen: [ring(1, 2), ring(10, 1)], files: 4 };
  const leftOut = [
    frozenLeftOut('web-0', both),
    frozenLeftOut('web-1', both),
    frozenLeftOut('db', { frozen: [ring(3, 1)], files: 1 }),
    frozenLeftOut('cache', { files: 7 }),
  ];
  expect(frozenNotes(leftOut.filter((each) => each !== undefined))).toEqual([
    'web-0, web-1: frozen rings 1, 10 are not in it: add --frozen all',
    'db: frozen ring 3 is all that there is, and in it as with --frozen all',
  ]);
});

test('of many Pods that are not captured, some are named', () => {
  expect(notCapturedNote(['a', 'b'])).toBe('not captured: a, b');
  expect(notCapturedNote(Array.from({ length: 12 }, (_, at) => `w${at}`))).toMatch(/w9 and 2 more$/);
});
