import { expect, test } from 'vitest';
import { boundedLabels, boundedText } from './report-text.ts';

test('a text has no characters that a terminal acts on', () => {
  expect(boundedText('a\u001b[31mb\u202ec\nd\u2028e', 100)).toBe('a [31mb c d e');
});

test('a text that is too long is cut, and shows it', () => {
  expect(boundedText('abcdef', 6)).toBe('abcdef');
  expect(boundedText('abcdefg', 6)).toBe('abcde…');
  // A cut between the halves of a pair would leave one.
  expect(boundedText('abcd😀fg', 6)).toBe('abcd…');
});

test('as many labels are kept as fit', () => {
  const labels = Object.fromEntries(Array.from({ length: 2_000 }, (_, at) => [`key-${at}`, 'value']));
  const kept = boundedLabels(labels);
  expect(JSON.stringify(kept).length).toBeLessThanOrEqual(16 * 1_024 + 2);
  expect(Object.keys(kept).length).toBeGreaterThan(700);
  expect(boundedLabels({ app: 'web', long: 'x'.repeat(64) })).toEqual({ app: 'web' });
});
