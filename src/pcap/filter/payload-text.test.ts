import fc from 'fast-check';
import { expect, test } from 'vitest';
import { quotedText, textMatcher } from './payload-text.ts';
import { subjectOf } from './testing/filter-subjects.ts';

test('finds a text where the letters are the same in either case, and nowhere else', () => {
  const letters = fc.string({
    unit: fc.constantFrom('a', 'A', 'b', '-', '\u00e9'),
    minLength: 1,
    maxLength: 6,
  });
  const payloads = fc.string({
    unit: fc.constantFrom('a', 'A', 'b', 'B', '-', '\u00c3', '\u00a9'),
    maxLength: 40,
  });
  fc.assert(
    fc.property(letters, payloads, (text, payload) => {
      const quoted = quotedText(`"${text}"`, 0);
      const matches = 'pattern' in quoted && textMatcher(quoted.pattern)(subjectOf({ payload }));
      const bytes = Buffer.from(text).toString('latin1');
      expect(matches).toBe(folded(payload).includes(folded(bytes)));
    }),
    { numRuns: 2_000 },
  );
});

test('finds a byte that is written as an escape only as it is', () => {
  const bytes = fc.array(fc.constantFrom(0x41, 0x61, 0x62), { minLength: 1, maxLength: 4 });
  const payloads = fc.string({ unit: fc.constantFrom('a', 'A', 'b'), maxLength: 20 });
  fc.assert(
    fc.property(bytes, payloads, (each, payload) => {
      const quoted = quotedText(`"${each.map((byte) => `\\x${byte.toString(16)}`).join('')}"`, 0);
      const matches = 'pattern' in quoted && textMatcher(quoted.pattern)(subjectOf({ payload }));
      expect(matches).toBe(payload.includes(String.fromCharCode(...each)));
    }),
    { numRuns: 2_000 },
  );
});

/** Only of ASCII: other bytes are no letters. */
function folded(text: string): string {
  return text.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
}
