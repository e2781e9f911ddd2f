import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { controlFrame, dataFrameHeader } from '../../api/stream-frames.ts';
import type { OpenedStream } from '../api/capture-stream.ts';
import { framedStream } from '../api/framed-stream.ts';
import { type MemoryStream, memoryStream, recordingBytes } from '../testing/memory-streams.ts';
import { type FollowTap, followTap } from './follow-tap.ts';

type Opening = (signal: AbortSignal) => OpenedStream;

/** Follows a tap that is opened with each of these in turn, and then with the last one. */
function follow(openings: readonly Opening[], more: Partial<FollowTap> = {}) {
  const calls: string[] = [];
  let opens = 0;
  const ended = followTap({
    request: { kind: 'tap', namespace: 'shop', pod: 'web' },
    async open(_, signal) {
      const opening = openings[Math.min(opens, openings.length - 1)];
      opens += 1;
      if (!opening || opens > 20) throw new Error('opened too often');
      return opening(signal);
    },
    backoff: { next: () => 1, reset: () => calls.push('reset') },
    onPacket: () => calls.push('packet'),
    onOpened: () => calls.push('opened'),
    onCut: (why) => calls.push(`cut: ${why}`),
    onGaps: () => {},
    onDamage: (damage) => calls.push(...damage.map(({ message }) => `damage: ${message}`)),
    signal: new AbortController().signal,
    ...more,
  });
  return { ended, calls, opens: () => opens };
}

function frames(...parts: readonly Uint8Array[]): Opening {
  return (signal) => ({ kind: 'open', stream: framedStream(Readable.from(parts), signal) });
}

function sends(content: MemoryStream): Opening {
  return (signal) => memoryStream(content, signal);
}

const text = Buffer.from('this is no capture file, and a proxy says so at length');
const podEnded = { reason: 'PodEnded' };
const cut = { kind: 'cut', message: 'the hub is gone' } as const;

test.for([
  ['a frame that a newer hub sends', frames(Buffer.from([0x58, 0, 0, 0, 0])), 'unknown type'],
  [
    'bytes that are no capture',
    frames(dataFrameHeader(text.length), text),
    'what came is no capture: web starts with',
  ],
] as const)('%s is asked for three times', async ([, opening, why]) => {
  const { ended, opens } = follow([opening]);
  expect(await ended).toEqual({ kind: 'refused', message: expect.stringContaining(why) });
  expect(opens()).toBe(3);
});

test('a stream that was not what was sent does not end one that works again', async () => {
  const wrong = frames(Buffer.from([0x58, 0, 0, 0, 0]));
  const works = sends({ bytes: recordingBytes('web', [1]), outcome: cut });
  const ends = sends({ bytes: recordingBytes('web', [2]), outcome: podEnded });
  const { ended } = follow([wrong, wrong, works, wrong, ends], { settledMs: 0 });
  expect(await ended).toMatchObject({ kind: 'ended' });
});

test.for([
  ['soon', Infinity, 0],
  ['after a while', 0, 2],
] as const)('a stream that is cut %s: resets of the wait', async ([, settledMs, resets]) => {
  const works = sends({ bytes: recordingBytes('web', [1]), outcome: cut });
  const ends = sends({ bytes: recordingBytes('web', [2]), outcome: podEnded });
  const { ended, calls } = follow([works, works, ends], { settledMs });
  expect(await ended).toMatchObject({ kind: 'ended' });
  expect(calls.filter((call) => call === 'reset')).toHaveLength(resets);
});

/** The second of the packets cannot be read. */
function damagedBytes(): Uint8Array {
  const bytes = Buffer.from(recordingBytes('web', [1, 2, 3, 4]));
  bytes.fill(0xff, bytes.indexOf('web at 2') - 20, bytes.indexOf('web at 2'));
  return bytes;
}

test('what could not be read is told, also of a stream whose digest is that of what was sent', async () => {
  const { ended, calls } = follow([sends({ bytes: damagedBytes(), outcome: podEnded })]);
  expect(await ended).toMatchObject({ kind: 'ended' });
  expect(calls).toEqual([
    'opened',
    'packet',
    'packet',
    'packet',
    expect.stringMatching(/^damage: web, byte \d+: .*read on from byte/),
  ]);
});

test('what could not be read until an interruption is told', async () => {
  const interrupt = new AbortController();
  let packets = 0;
  const { ended, calls } = follow([sends({ bytes: damagedBytes(), ending: new Promise(() => {}) })], {
    signal: interrupt.signal,
    onPacket() {
      packets += 1;
      if (packets === 3) interrupt.abort(new Error('SIGINT'));
    },
  });
  await expect(ended).rejects.toThrow('SIGINT');
  expect(calls.filter((call) => call.startsWith('damage'))).toHaveLength(1);
});

test('a stream that is cut inside a packet is only cut', async () => {
  const bytes = recordingBytes('web', [1, 2]).subarray(0, 160);
  const ends = sends({ bytes: recordingBytes('web', [2]), outcome: podEnded });
  const { ended, calls } = follow([sends({ bytes, outcome: cut }), ends]);
  expect(await ended).toMatchObject({ kind: 'ended' });
  expect(calls).toEqual(expect.not.arrayContaining([expect.stringContaining('damage')]));
  expect(calls).toContain('cut: the hub is gone');
});

test('a stream without bytes is not wrong', async () => {
  const end = { reason: 'PodEnded', isComplete: true, bytes: 0, packets: 0, sha256: emptyDigest };
  const { ended } = follow([frames(controlFrame({ kind: 'end', end }))]);
  expect(await ended).toEqual({ kind: 'ended', message: 'the Pod has ended' });
});

const emptyDigest = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
