import { expect, test } from 'vitest';
import { framesMediaType } from '../../api/stream-frames.ts';
import { linkPaths, linkReaderHeader } from '../../link/protocol.ts';
import type { TestAgentHandler } from '../testing/test-agent.ts';
import { captureOfWeb, recordingOn } from './testing/capture-of-web.ts';
import { refuses, sends, startStream } from './testing/scripted-streams.ts';
import { streamScene } from './testing/stream-scene.ts';

const captures = [
  captureOfWeb(recordingOn('node-2', 'new'), { ...recordingOn('node-1', 'old'), phase: 'Ended' }),
];

function message({ body }: { readonly body: Buffer }): unknown {
  return JSON.parse(body.toString('utf8')).message;
}

test('sends the newest recording, as the agent of its Node does', async () => {
  const scene = await streamScene({ captures });
  await using one = await scene.agent('node-1', { [linkPaths.recording]: sends('old bytes') });
  await using two = await scene.agent('node-2', { [linkPaths.recording]: sends('new ', 'bytes') });
  const answer = await scene.get('shop/web/log');
  expect(answer).toMatchObject({
    status: 200,
    isComplete: true,
    headers: {
      'content-type': 'application/vnd.tcpdump.pcap',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'content-disposition': 'attachment',
    },
  });
  expect(answer.body.toString()).toBe('new bytes');
  expect(two.requests).toContain('GET /v1/recording?uid=new');
  expect(one.requests).not.toContain('GET /v1/recording?uid=new');
});

test('sends the recording of a uid, and passes every parameter on', async () => {
  const scene = await streamScene({ captures });
  await using agent = await scene.agent('node-1', { [linkPaths.recording]: sends('old bytes') });
  const query = 'uid=old&frozen=2&since=2026-11-30T10%3A00%3A00Z&until=-5m&format=pcap&follow=true';
  expect((await scene.get(`shop/web/log?${query}`)).body.toString()).toBe('old bytes');
  const asked = agent.requests.find((each) => each.includes(linkPaths.recording)) ?? '';
  expect(Object.fromEntries(new URLSearchParams(asked.split('?')[1]))).toEqual(
    Object.fromEntries(new URLSearchParams(query)),
  );
});

test('passes Accept on, and the type of the answer back', async () => {
  const scene = await streamScene({ captures });
  await using _ = await scene.agent('node-2', {
    [linkPaths.recording](stream, _query, headers) {
      startStream(stream, headers.accept);
      stream.end('frames');
    },
  });
  const answer = await scene.get('shop/web/log', { accept: framesMediaType });
  expect(answer.headers['content-type']).toBe(framesMediaType);
});

test.for([
  [
    'a capture that does not exist',
    'shop/other/log',
    404,
    'nothing is recorded of Pod other in namespace shop',
  ],
  ['a uid that it does not have', 'shop/web/log?uid=none', 404, 'has no recording with uid none: kubectl'],
  ['a Node that has none', 'shop/web/log?node=node-9', 404, 'has no recording of Node node-9: kubectl get'],
  ['a uid of another Node', 'shop/web/log?uid=old&node=node-2', 404, 'with uid old of Node node-2: kubectl'],
  ['a namespace that does not exist', 'gone/web/log', 503, 'since when namespace gone exists'],
  ['a parameter that does not exist', 'shop/web/log?tail=5', 400, 'captures/log has no parameter "tail"'],
  ['a value that cannot be', 'shop/web/log?format=zip', 400, 'format cannot be "zip"'],
  [
    'an agent that is not connected',
    'shop/web/log',
    503,
    'the agent of Node node-2, which has the recording of web',
  ],
] as const)('refuses %s with words', async ([, path, status, words]) => {
  const scene = await streamScene({ captures });
  const answer = await scene.get(path);
  expect(answer.status).toBe(status);
  expect(message(answer)).toContain(words);
});

test.for([
  [
    '400',
    refuses(400, 'InvalidParameter', 'since must be a time'),
    400,
    'since must be a time (Node node-2: InvalidParameter)',
  ],
  [
    '429',
    refuses(429, 'TooManyReaders', 'too many are read'),
    429,
    'too many are read (Node node-2: TooManyReaders)',
  ],
  [
    '404',
    refuses(404, 'NotFound', 'no files'),
    404,
    'recording new of capture web in namespace shop has no files any more',
  ],
  [
    '404 of a part of it',
    refuses(404, 'NoFrozenRing', 'no frozen ring 7: this Pod has 1'),
    404,
    'no frozen ring 7: this Pod has 1 (Node node-2: NoFrozenRing)',
  ],
  [
    'a code that is none',
    refuses(418, 'Teapot', 'tea'),
    500,
    'the agent of Node node-2 gave an answer that the hub does not know',
  ],
  ['terminal codes', refuses(400, 'X', '\u001b[2Jclear'), 400, '\\u001b[2Jclear (Node node-2: X)'],
] as const)('passes on what the agent says: %s', async ([, handler, status, words]) => {
  const scene = await streamScene({ captures });
  await using _ = await scene.agent('node-2', { [linkPaths.recording]: handler });
  const answer = await scene.get('shop/web/log');
  expect(answer.status).toBe(status);
  expect(message(answer)).toBe(words);
});

test('tells the agent who reads, by a word that says nothing of the user', async () => {
  const scene = await streamScene({ captures });
  const readers: unknown[] = [];
  const handler: TestAgentHandler = (stream, query, headers) => {
    readers.push(headers[linkReaderHeader]);
    sends('bytes')(stream, query, headers);
  };
  await using _ = await scene.agent('node-2', { [linkPaths.recording]: handler });
  for (let asked = 0; asked < 2; asked += 1) await scene.get('shop/web/log');
  const [reader] = readers;
  expect(readers).toEqual([reader, reader]);
  expect(reader).toMatch(/^[\w-]{43}$/);
});

test.for([
  ['something else', (stream) => startStream(stream, 'text/html')],
  ['words that are no error', (stream) => stream.respond({ ':status': 400 }, { endStream: true })],
  [
    'words without an end',
    (stream) => {
      stream.respond({ ':status': 400 });
      stream.write('x'.repeat(64 * 1024));
    },
  ],
] as const satisfies readonly (readonly [string, TestAgentHandler])[])(
  'an agent that answers %s does not reach the client',
  async ([, handler]) => {
    const scene = await streamScene({ captures });
    await using _ = await scene.agent('node-2', { [linkPaths.recording]: handler });
    const answer = await scene.get('shop/web/log');
    expect(answer.status).toBe(500);
    expect(message(answer)).toContain('the agent of Node node-2 gave an answer');
  },
);

test('of two agents on a Node, the second is asked if the first does not have it', async () => {
  const scene = await streamScene({ captures });
  await using _one = await scene.agent('node-2', { [linkPaths.recording]: sends('from the older') });
  await using _two = await scene.agent('node-2', { [linkPaths.recording]: refuses(404, 'NotFound', 'no') });
  expect((await scene.get('shop/web/log')).body.toString()).toBe('from the older');
});
