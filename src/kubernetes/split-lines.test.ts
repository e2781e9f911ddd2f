import { expect, test } from 'vitest';
import { LineTooLong, lines } from './split-lines.ts';

test.each([
  { name: 'several lines in one chunk', chunks: ['a\nb\n'], expected: ['a', 'b'] },
  { name: 'a line across several chunks', chunks: ['a', 'b', 'c\nd\n'], expected: ['abc', 'd'] },
  { name: 'a last line without a newline', chunks: ['a\nb'], expected: ['a'] },
  { name: 'empty lines', chunks: ['\n\na\n'], expected: ['a'] },
  {
    name: 'lines of the maximum length',
    chunks: ['12345678\n1234', '5678\n'],
    expected: ['12345678', '12345678'],
  },
])('splits $name', async ({ chunks, expected }) => {
  expect(await all(chunks.map((chunk) => Buffer.from(chunk)))).toEqual(expected);
});

test('splits a text with multi-byte characters that is cut at any byte', async () => {
  const text = Buffer.from('é🐙\nü\n');
  for (let cut = 0; cut <= text.length; cut += 1) {
    expect(await all([text.subarray(0, cut), text.subarray(cut)])).toEqual(['é🐙', 'ü']);
  }
});

test.each([
  { name: 'in one chunk', chunks: ['123456789\n'] },
  { name: 'across chunks', chunks: ['12345', '6789'] },
  { name: 'after a short one', chunks: ['1\n123456789'] },
])('throws for a line that is too long $name', async ({ chunks }) => {
  await expect(all(chunks.map((chunk) => Buffer.from(chunk)))).rejects.toThrow(LineTooLong);
});

async function all(chunks: readonly Buffer[]): Promise<string[]> {
  async function* source(): AsyncGenerator<Buffer> {
    yield* chunks;
  }
  return await Array.fromAsync(lines(source(), 8));
}
