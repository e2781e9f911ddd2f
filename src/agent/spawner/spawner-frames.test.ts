import { expect, test } from 'vitest';
import { frameOf, frameReader, largestPayload } from './spawner-frames.ts';

const frames = [
  { id: 1, kind: 3, payload: Buffer.from('a line\n') },
  { id: 4_294_967_295, kind: 2, payload: Buffer.alloc(0) },
  { id: 0, kind: 4, payload: Buffer.alloc(largestPayload, 'x') },
];

test.each([1, 5, 12, 4_096, 1_000_000])('reads frames that arrive %i bytes at a time', (size) => {
  const bytes = Buffer.concat(frames.map(({ id, kind, payload }) => frameOf(id, kind, payload)));
  const read = frameReader();
  const parts = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    bytes.subarray(size * index, size * (index + 1)),
  );
  expect(parts.flatMap(read)).toEqual(frames);
});

test('refuses a payload that the spawner would not accept', () => {
  expect(() => frameOf(1, 1, Buffer.alloc(largestPayload + 1))).toThrow(
    'a request of 65537 bytes: 65536 at most',
  );
});
