import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  controlFrame,
  dataFrameHeader,
  maxFrameBytes,
  type StreamEnd,
  streamGapReasons,
} from '../../api/stream-frames.ts';
import { type FramePart, frameParts, WrongFrame } from './frame-parts.ts';

const end: StreamEnd = { reason: 'Complete', isComplete: true, bytes: 5, packets: 1, sha256: 'ab' };

function dataFrame(bytes: string): Buffer {
  return Buffer.concat([dataFrameHeader(bytes.length), Buffer.from(bytes)]);
}

/** What is read, with neighbouring data in one part. */
async function parts(...chunks: readonly Uint8Array[]): Promise<unknown[]> {
  const result: (Exclude<FramePart, { kind: 'data' }> | string)[] = [];
  async function* stream() {
    yield* chunks.map((chunk) => Buffer.from(chunk));
  }
  for await (const part of frameParts(stream())) {
    const last = result.at(-1);
    if (part.kind !== 'data') result.push(part);
    else if (typeof last === 'string') result[result.length - 1] = last + part.bytes.toString();
    else result.push(part.bytes.toString());
  }
  return result;
}

test('frames are read however the bytes are cut into chunks', async () => {
  const gap = { reason: 'ReaderTooSlow', packets: 3 } as const;
  const bytes = Buffer.concat([
    dataFrame('ab'),
    controlFrame({ kind: 'heartbeat' }),
    controlFrame({ kind: 'gap', gap }),
    dataFrame(''),
    dataFrame('cde'),
    controlFrame({ kind: 'end', end }),
  ]);
  const expected = ['ab', { kind: 'heartbeat' }, { kind: 'gap', gap }, 'cde', { kind: 'end', end }];
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(bytes.length)), async (cuts) => {
      const at = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
      const chunks = at.slice(1).map((to, index) => bytes.subarray(at[index], to));
      expect(await parts(...chunks)).toEqual(expected);
    }),
  );
});

test('bytes that end inside a frame are read as far as they go', async () => {
  expect(await parts(dataFrame('abc').subarray(0, 6))).toEqual(['a']);
  expect(await parts(dataFrame('abc').subarray(0, 3))).toEqual([]);
  expect(await parts(controlFrame({ kind: 'end', end }).subarray(0, -1))).toEqual([]);
});

test.for(streamGapReasons)('a gap keeps its reason: %s', async (reason) => {
  const gap = { reason, packets: 3 };
  expect(await parts(Buffer.from(controlFrame({ kind: 'gap', gap })))).toEqual([{ kind: 'gap', gap }]);
});

test('a gap with a reason of a newer agent has an unknown one', async () => {
  const newer = Buffer.from(controlFrame({ kind: 'gap', gap: { reason: 'Dropped', packets: 3 } }));
  newer.write('Strange', newer.indexOf('Dropped'));
  expect(await parts(newer)).toEqual([{ kind: 'gap', gap: { reason: 'Unknown', packets: 3 } }]);
});

test.each([
  ['a type that is unknown', Buffer.from('X\0\0\0\0'), 'a frame of the unknown type "X"'],
  ['too many bytes', dataFrameHeader(maxFrameBytes + 1), 'a frame of 1048577 bytes is longer than allowed'],
  ['a heartbeat with content', Buffer.from('H\0\0\0\x01x'), 'a heartbeat with 1 bytes'],
  ['a gap without content', Buffer.from('G\0\0\0\0'), 'a frame of type G without content'],
  ['an end that is no JSON', Buffer.from('E\0\0\0\x01x'), 'an end that cannot be read: its content: '],
  ['an end without its digest', Buffer.from('E\0\0\0\x02{}'), 'an end that cannot be read: reason: '],
])('%s is no frame', async (_, bytes, message) => {
  const read = parts(bytes);
  await expect(read).rejects.toThrow(WrongFrame);
  await expect(read).rejects.toThrow(message);
});
