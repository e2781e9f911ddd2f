import { createHash } from 'node:crypto';
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { controlFrame, dataFrameHeader, type StreamEnd, type StreamGap } from '../../api/stream-frames.ts';
import { every } from '../../base/timers.ts';
import { happens } from '../../base/until.ts';
import { framedStream } from './framed-stream.ts';

const never = new AbortController().signal;

function dataFrame(bytes: string): Buffer {
  return Buffer.concat([dataFrameHeader(bytes.length), Buffer.from(bytes)]);
}

function endOf(bytes: string): StreamEnd {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return { reason: 'Complete', isComplete: true, bytes: bytes.length, packets: 1, sha256 };
}

const endFrame = (end: StreamEnd) => controlFrame({ kind: 'end', end });

/** The bytes of a stream with this content, and how it ended. */
async function readStream(...frames: readonly Uint8Array[]) {
  const body = new PassThrough();
  for (const frame of frames) body.write(frame);
  body.end();
  await using stream = framedStream(body, never);
  const bytes = Buffer.concat(await Array.fromAsync(stream.chunks())).toString();
  return { bytes, outcome: stream.outcome(), gaps: stream.gaps, isClosed: body.destroyed };
}

test('a stream whose end frame fits its bytes has ended', async () => {
  const gap: StreamGap = { reason: 'Pruned', bytes: 7 };
  const end = endOf('abcd');
  expect(
    await readStream(dataFrame('ab'), controlFrame({ kind: 'gap', gap }), dataFrame('cd'), endFrame(end)),
  ).toEqual({ bytes: 'abcd', outcome: { kind: 'ended', end }, gaps: [gap], isClosed: true });
});

test.each([
  ['without an end frame', [dataFrame('ab')], 'cut', 'after 2 bytes: it ended without its end frame'],
  ['inside a frame', [dataFrame('abc').subarray(0, 6)], 'cut', 'after 1 bytes: it ended without its end'],
  ['empty', [], 'cut', 'after 0 bytes'],
  [
    'with fewer bytes',
    [dataFrame('a'), endFrame(endOf('ab'))],
    'corrupt',
    '1 bytes arrived, and its end says that 2',
  ],
  ['with others', [dataFrame('aa'), endFrame(endOf('ab'))], 'corrupt', 'do not have the digest'],
  ['that goes on', [endFrame(endOf('')), dataFrame('x')], 'corrupt', 'something follows the end'],
  ['that is no frames', [Buffer.from('HTTP/1.1 200 OK')], 'corrupt', 'is longer than allowed'],
])('a stream %s', async (_, frames, kind, message) => {
  const { outcome } = await readStream(...frames);
  expect(outcome).toMatchObject({ kind, message: expect.stringContaining(message) });
});

test('a stream from which nothing comes any more is cut', async () => {
  const body = new PassThrough();
  body.write(dataFrame('ab'));
  await using stream = framedStream(body, never, { silenceMs: 20 });
  expect(Buffer.concat(await Array.fromAsync(stream.chunks())).toString()).toBe('ab');
  expect(stream.outcome()).toEqual({
    kind: 'cut',
    message: 'the stream was cut after 2 bytes: nothing came for 0.02 s',
  });
});

test('a stream from which nothing but heartbeats comes is cut, if it may be', async () => {
  const body = new PassThrough();
  using _beating = every(5, async () => void body.write(controlFrame({ kind: 'heartbeat' })));
  body.write(dataFrame('ab'));
  await using stream = framedStream(body, never, { stallMs: 40 });
  expect(Buffer.concat(await Array.fromAsync(stream.chunks())).toString()).toBe('ab');
  expect(stream.outcome()).toEqual({
    kind: 'cut',
    message: 'the stream was cut after 2 bytes: nothing but heartbeats came for 0.04 s',
  });
});

test('the time that the reader takes is not the silence of the stream', async () => {
  const body = new PassThrough();
  for (const frame of [dataFrame('ab'), dataFrame('cd'), endFrame(endOf('abcd'))]) body.write(frame);
  body.end();
  await using stream = framedStream(body, never, { silenceMs: 20 });
  const read: string[] = [];
  for await (const chunk of stream.chunks()) {
    read.push(Buffer.from(chunk).toString());
    expect(await happens(() => body.errored !== null, { withinMs: 50 })).toBe(false);
  }
  expect({ read, kind: stream.outcome().kind }).toEqual({ read: ['ab', 'cd'], kind: 'ended' });
});

test('an aborted signal ends the reading with its reason', async () => {
  const abort = new AbortController();
  const body = new PassThrough();
  body.write(dataFrame('ab'));
  await using stream = framedStream(body, abort.signal);
  const reading = (async () => {
    for await (const _ of stream.chunks()) {
      abort.abort(new Error('Ctrl-C'));
      body.destroy(new Error('Ctrl-C'));
    }
  })();
  await expect(reading).rejects.toThrow('Ctrl-C');
  expect(body.destroyed).toBe(true);
});

test('a reader that stops closes the stream, which was then not read to its end', async () => {
  const body = new PassThrough();
  body.write(dataFrame('ab'));
  await using stream = framedStream(body, never);
  for await (const _ of stream.chunks()) break;
  expect(body.destroyed).toBe(true);
  expect(stream.outcome()).toMatchObject({ kind: 'cut' });
});

test('of very many gaps, those of the same reason become one', async () => {
  const gap = controlFrame({ kind: 'gap', gap: { reason: 'ReaderTooSlow', packets: 2 } });
  const { gaps } = await readStream(...Array.from({ length: 1_500 }, () => gap), endFrame(endOf('')));
  expect(gaps).toHaveLength(1_000);
  expect(gaps.reduce((sum, { packets = 0 }) => sum + packets, 0)).toBe(3_000);
});

test('how it ended is not known before', async () => {
  await using stream = framedStream(new PassThrough(), never);
  expect(() => stream.outcome()).toThrow('has not been read to its end');
});
