import { expect, test } from 'vitest';
import { commentPieces } from './comment-pieces.ts';

test('a text that an option holds is one piece', () => {
  expect(commentPieces('one\n\ntwo')).toEqual(['one\n\ntwo']);
});

test('a longer one is several, of whole lines', () => {
  const lines = Array.from({ length: 150 }, (_, number) => `pod-${number} lacks ${'é'.repeat(400)}`);
  const pieces = commentPieces(lines.join('\n'));
  expect(pieces.length).toBeGreaterThan(1);
  expect(Math.max(...pieces.map((piece) => Buffer.byteLength(piece)))).toBeLessThanOrEqual(65_000);
  expect(pieces.join('\n').split('\n')).toEqual(lines);
});

test('a line that is too long goes on in the next piece, and no character is cut', () => {
  const pieces = commentPieces('😀'.repeat(40_000));
  expect(pieces.length).toBeGreaterThan(1);
  expect(pieces.join('').replaceAll('\n', '')).toBe('😀'.repeat(40_000));
});

test('what does not fit at all is counted', () => {
  const pieces = commentPieces(Array.from({ length: 100 }, () => 'x'.repeat(40_000)).join('\n'));
  const [first = '', last] = [pieces[0], pieces.at(-1)];
  expect([pieces.length, first.length, last]).toEqual([17, 40_000, '84 more lines are left out']);
});
