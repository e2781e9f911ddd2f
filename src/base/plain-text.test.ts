import fc from 'fast-check';
import { expect, test } from 'vitest';
import { plainJson, plainText } from './plain-text.ts';

test.each([
  ['plain', 'plain'],
  ['größer, 日本 and 🙂', 'größer, 日本 and 🙂'],
  ['\u001b[2J', String.raw`\u001b[2J`],
  ['a\nb\tc\u007f', String.raw`a\u000ab\u0009c\u007f`],
  // One byte that some terminals take for ESC [.
  ['\u009b2J', String.raw`\u009b2J`],
  ['\u202egnp', String.raw`\u202egnp`],
  ['\u2028\u2029', String.raw`\u2028\u2029`],
  // A tag, which is two units of UTF-16, and half a character.
  ['\u{e0041}', String.raw`\udb40\udc41`],
  ['\ud800', String.raw`\ud800`],
])('%j is shown as %s', (text, shown) => {
  expect(plainText(text)).toBe(shown);
});

test('any JSON is the same value with and without the escapes, and has no character that a terminal acts on', () => {
  fc.assert(
    fc.property(fc.jsonValue({ noUnicodeString: false, stringUnit: 'binary' }), (value) => {
      const text = plainJson(value);
      expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
      expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u);
    }),
  );
});
