import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { framesMediaType, type StreamEnd } from '../../api/stream-frames.ts';
import {
  acceptsFrames,
  type CaptureStream,
  openCaptureStream,
  ReaderGone,
  type StreamTiming,
  streamTiming,
} from './capture-stream.ts';
import { keepAliveBlock } from './keep-alive-block.ts';
import { answerOf, linkScene, readFrames } from './testing/link-scene.ts';

type Scene = {
  readonly keepAlive?: () => Uint8Array;
  readonly timing?: Partial<StreamTiming>;
};

const ended = { reason: 'Complete', isComplete: true, packets: 3 };

function streamScene(send: (stream: CaptureStream) => Promise<void>, { timing, ...options }: Scene = {}) {
  return linkScene(async ({ stream, signal, headers }) => {
    await using output = openCaptureStream({
      ...options,
      stream,
      signal,
      isFrames: acceptsFrames(headers.accept),
      timing: { ...streamTiming, ...timing },
    });
    await send(output);
  });
}

const frames = { accept: framesMediaType };

describe('a stream of a capture', () => {
  test('has the bytes as they are, and an end', async () => {
    const content = Buffer.alloc(3_000_000, 'packets ');
    await using scene = await streamScene(async (stream) => {
      for (let at = 0; at < content.length; at += 700_000)
        await stream.write(content.subarray(at, at + 700_000));
      await stream.end(ended);
    });
    const answer = await scene.get('/');
    expect(answer.body.equals(content)).toBe(true);
    expect(answer).toMatchObject({
      status: 200,
      contentType: 'application/vnd.tcpdump.pcap',
      isCut: false,
    });
  });

  test('in frames, has counts and the digest of the data at its end', async () => {
    const content = Buffer.alloc(3_000_000, 'packets ');
    await using scene = await streamScene(async (stream) => {
      await stream.write(content.subarray(0, 2_500_000));
      await stream.gap({ reason: 'Pruned', packets: 4 });
      await stream.write(content.subarray(2_500_000));
      await stream.end({ ...ended, pruned: 4 });
    });
    const answer = await scene.get('/', frames);
    expect(answer).toMatchObject({ contentType: framesMediaType, isCut: false });
    const { data, kinds, gaps, end } = readFrames(answer.body);
    expect(data.equals(content)).toBe(true);
    // The first write is longer than a frame may be.
    expect(kinds).toBe('DDDGDE');
    expect(gaps).toEqual([{ reason: 'Pruned', packets: 4 }]);
    const sha256 = createHash('sha256').update(content).digest('hex');
    expect(end).toEqual({ ...ended, pruned: 4, bytes: content.length, sha256 } satisfies StreamEnd);
  });

  test('that is not complete is cut, and no end in frames is taken for one', async () => {
    await using scene = await streamScene(async (stream) => {
      await stream.write(Buffer.from('some packets'));
      await stream.end({ ...ended, reason: 'Failed', isComplete: false });
    });
    expect(await scene.get('/')).toMatchObject({ isCut: true });
    const answer = await scene.get('/', frames);
    expect(answer.isCut).toBe(false);
    expect(readFrames(answer.body).end).toMatchObject({ reason: 'Failed', isComplete: false, bytes: 12 });
  });

  test.each([{}, frames])('without an end is cut (%o)', async (headers) => {
    await using scene = await streamScene(async (stream) => stream.write(Buffer.from('some packets')));
    expect(await scene.get('/', headers)).toMatchObject({ isCut: true });
  });

  test('keeps no more than two writes for a reader that takes nothing', async () => {
    const writes = { begun: 0 };
    const gone = Promise.withResolvers<unknown>();
    await using scene = await streamScene(async (stream) => {
      for (;;) {
        writes.begun += 1;
        await stream.write(Buffer.alloc(1_000_000)).catch((error: unknown) => {
          gone.resolve(error);
          throw error;
        });
      }
    });
    const request = scene.request('/');
    await once(request, 'response');
    await expect.poll(() => writes.begun).toBe(2);
    request.close();
    const error = await gone.promise;
    expect(error).toBeInstanceOf(ReaderGone);
    expect(error).toMatchObject({ why: 'Closed' });
    expect(writes.begun).toBe(2);
  });

  test('drops a reader that takes too little', async () => {
    const gone = Promise.withResolvers<unknown>();
    const timing = { checkEveryMs: 10, slowAfterMs: 100 };
    await using scene = await streamScene(
      async (stream) => {
        while (!stream.signal.aborted) await stream.write(Buffer.alloc(1_000_000)).catch(gone.resolve);
      },
      { timing },
    );
    const request = scene.request('/');
    const answer = gone.promise.then(async () => await answerOf(request));
    expect(await gone.promise).toMatchObject({ why: 'TooSlow' });
    expect(await answer).toMatchObject({ isCut: true });
  });

  test('tells a waiting handler that the reader has gone', async () => {
    const reasons: unknown[] = [];
    await using scene = await streamScene(async ({ signal }) => {
      await once(signal, 'abort');
      reasons.push(signal.reason);
    });
    const request = scene.request('/');
    await once(request, 'response');
    request.close();
    await scene.idle();
    expect(reasons).toMatchObject([{ why: 'Closed' }]);
  });
});

describe('a silent stream', () => {
  const timing = { checkEveryMs: 5, heartbeatAfterMs: 20, keepAliveAfterMs: 20 };
  const silence = async (stream: CaptureStream) => {
    await stream.write(Buffer.from('header'));
    await once(stream.signal, 'abort');
  };

  test('sends heartbeats in frames', async () => {
    await using scene = await streamScene(silence, { timing });
    const request = scene.request('/', frames);
    let body = Buffer.alloc(0);
    request.on('data', (chunk: Buffer) => {
      body = Buffer.concat([body, chunk]);
    });
    await expect.poll(() => readFrames(body).kinds).toMatch(/^DHH/);
  });

  test('sends blocks that count nothing in pcapng', async () => {
    await using scene = await streamScene(silence, { timing, keepAlive: () => keepAliveBlock(0) });
    const request = scene.request('/');
    let body = Buffer.alloc(0);
    request.on('data', (chunk: Buffer) => {
      body = Buffer.concat([body, chunk]);
    });
    await expect.poll(() => body.length).toBeGreaterThan(50);
    expect(body.subarray(0, 30)).toEqual(Buffer.concat([Buffer.from('header'), keepAliveBlock(0)]));
  });

  test('sends nothing before its first bytes', async () => {
    const other = Promise.withResolvers<void>();
    await using scene = await streamScene(
      async (stream) => {
        await other.promise;
        await stream.end(ended);
      },
      { timing, keepAlive: () => keepAliveBlock(0) },
    );
    const answer = scene.get('/');
    // A stream in frames shows that the time of a heartbeat has passed.
    const request = scene.request('/', frames);
    await once(request, 'data');
    other.resolve();
    expect(await answer).toMatchObject({ body: Buffer.alloc(0), isCut: false });
  });
});

test.each([
  [undefined, false],
  ['*/*', false],
  ['application/vnd.podcap.frames', true],
  ['text/html, application/vnd.podcap.frames;q=0.9', true],
  ['application/vnd.podcap.framesets', false],
])('Accept: %s asks for frames: %s', (accept, expected) => {
  expect(acceptsFrames(accept)).toBe(expected);
});
