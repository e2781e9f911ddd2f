import fc from 'fast-check';
import { expect, test } from 'vitest';
import { editDistance, nearestWord } from './nearest-word.ts';

const names = ['file-size', 'interface', 'filter', 'snaplen', 'duration'];

test.each([
  ['filters', 'filter'],
  ['fitler', 'filter'],
  ['snap-len', 'snaplen'],
  ['filesize', 'file-size'],
  ['file-size-mb', 'file-size'],
  ['iface', undefined],
  ['files', undefined],
  ['freeze-on', undefined],
  ['paused', undefined],
  ['', undefined],
])('%j is a misspelling of %s', (word, expected) => {
  expect(nearestWord(word, names)).toBe(expected);
});

test.each([
  ['', '', 0],
  ['', 'abc', 3],
  ['kitten', 'sitting', 3],
  ['filter', 'filter', 0],
])('%j and %j are %d edits apart', (a, b, edits) => {
  expect(editDistance(a, b)).toBe(edits);
  expect(editDistance(b, a)).toBe(edits);
});

test('one random edit of a word costs at most one, and a word is its own nearest', () => {
  const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '-'), maxLength: 12 });
  fc.assert(
    fc.property(word, word, fc.nat(), fc.constantFrom('a', 'b', ''), (a, b, where, letter) => {
      const at = where % (a.length + 1);
      const edited = a.slice(0, at) + letter + a.slice(at + 1);
      expect(editDistance(a, edited)).toBeLessThanOrEqual(1);
      expect(Math.abs(editDistance(a, b) - editDistance(edited, b))).toBeLessThanOrEqual(1);
      expect(nearestWord(a, [b, a])).toBe(a);
    }),
  );
});
