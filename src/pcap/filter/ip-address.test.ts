import { isIP } from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { addressWords, isInNetwork, readAddress, readNetwork } from './ip-address.ts';

const numRuns = 2_000;
const allWords = fc.array(fc.oneof(fc.nat(0xffff), fc.constant(0)), {
  minLength: addressWords,
  maxLength: addressWords,
});

test('reads every spelling of an IPv6 address', () => {
  fc.assert(
    fc.property(
      allWords,
      fc.nat(),
      fc.nat(8),
      fc.boolean(),
      fc.boolean(),
      (words, start, count, isDotted, isUpper) => {
        const into = new Uint16Array(addressWords).fill(0xdead);
        const text = spelled(words, { start: start % 8, count, isDotted });
        expect(isIP(text)).toBe(6);
        expect(readAddress(isUpper ? text.toUpperCase() : text, into)).toBe(6);
        expect([...into]).toEqual(words);
      },
    ),
    { numRuns },
  );
});

test('reads the texts that Node.js takes for addresses, and no others', () => {
  const nearly = fc
    .array(fc.constantFrom('0', '1', 'f', '12', '255', '256', '00', 'ffff', '.', ':', '::', 'g'), {
      maxLength: 16,
    })
    .map((parts) => parts.join(''));
  const dotted = fc.array(fc.nat(300), { minLength: 3, maxLength: 5 }).map((parts) => parts.join('.'));
  fc.assert(
    fc.property(fc.oneof(nearly, dotted, fc.ipV4(), fc.ipV6()), (text) => {
      expect(readAddress(text, new Uint16Array(addressWords)) ?? 0).toBe(isIP(text));
    }),
    { numRuns },
  );
});

test.each([
  ['10.0.0.0/8', '10.255.0.1', true],
  ['10.0.0.0/8', '11.0.0.0', false],
  ['10.1.2.3/8', '10.9.9.9', true],
  ['10.0.0.1', '10.0.0.1', true],
  ['10.0.0.1/31', '10.0.0.0', true],
  ['10.0.0.2/31', '10.0.0.1', false],
  ['0.0.0.0/0', '255.255.255.255', true],
  ['0.0.0.0/0', '::', false],
  ['fd00::/8', 'fdff::1', true],
  ['fd00::/8', 'fe00::1', false],
  ['fd00::1/127', 'fd00::', true],
  ['::/0', 'ffff::', true],
  ['10.0.0.0/8', 'aa:bb:cc:dd:ee:ff', false],
  ['::/0', 'aa:bb:cc:dd:ee:ff', false],
])('%s contains %s: %s', (network, address, expected) => {
  const read = readNetwork(network);
  expect(read && isInNetwork(address, read, new Uint16Array(addressWords))).toBe(expected);
});

test.each([
  '1:2:3:4::5:6:7:8',
  '::1:2:3:4:5:6:7:8',
  '1:2:3:4:5:6:7:8:9',
  '1:2:3:4:5:6:7',
  '1::2::3',
  '1:2:3:4:5:6:7:',
  ':1:2:3:4:5:6:7',
  '::12345',
  '1:2:3:4:5:6:7:1.2.3.4',
  '::1.2.3',
  '::1.2.3.4:5',
  ':',
  ':::',
  '1.2.3.4.',
  '01.2.3.4',
])('%j is no address', (text) => {
  expect(readAddress(text, new Uint16Array(addressWords))).toBeUndefined();
});

test.each(['10.0.0.0/33', 'fd00::/129', '10.0.0.0/', '10.0.0.0/-1', '10.0.0.0/1/2', '/8', '', 'web'])(
  '%j is no network',
  (text) => expect(readNetwork(text)).toBeUndefined(),
);

type Spelling = { readonly start: number; readonly count: number; readonly isDotted: boolean };

/** With :: for the zeros from `start` on, at most `count` of them, and the last two words as an IPv4 address. */
function spelled(words: readonly number[], { start, count, isDotted }: Spelling): string {
  const parts = words.map((word) => word.toString(16));
  if (isDotted) {
    const [a = 0, b = 0] = words.slice(6);
    parts.splice(6, 2, `${a >> 8}.${a & 255}.${b >> 8}.${b & 255}`);
  }
  const zeros = parts.slice(start, start + count).findIndex((part) => part !== '0');
  const length = zeros < 0 ? parts.slice(start, start + count).length : zeros;
  if (length === 0) return parts.join(':');
  return `${parts.slice(0, start).join(':')}::${parts.slice(start + length).join(':')}`;
}
