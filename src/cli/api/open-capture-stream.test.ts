import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { controlFrame, dataFrameHeader, framesMediaType } from '../../api/stream-frames.ts';
import { proxiedRequests } from '../kubectl/proxied-requests.ts';
import { openCaptureStream, streamPath } from './open-capture-stream.ts';
import { answerStatus, apiScene } from './testing/api-scene.ts';
import { UnreachableServer } from './unreachable-server.ts';

const { signal } = new AbortController();
const recording = { kind: 'recording', namespace: 'shop', pod: 'web' } as const;

test.each([
  [recording, '/log'],
  [
    {
      ...recording,
      uid: 'u-1',
      frozen: 'all',
      since: '2026-11-30T18:00:00+01:00',
      until: '2026-11-30T19:00:00Z',
      node: 'node1',
    },
    '/log?uid=u-1&frozen=all&since=2026-11-30T18%3A00%3A00%2B01%3A00&until=2026-11-30T19%3A00%3A00Z&node=node1',
  ],
  [{ ...recording, kind: 'tap' } as const, '/attach'],
  [
    {
      ...recording,
      kind: 'tap',
      filter: 'tcp port 80 & x',
      interface: 'eth0',
      snaplen: 96,
      node: 'node1',
    } as const,
    '/attach?filter=tcp%20port%2080%20%26%20x&interface=eth0&snaplen=96&node=node1',
  ],
])('the path of %j', (request, path) => {
  expect(streamPath(request)).toBe(`/apis/podcap.dev/v1alpha1/namespaces/shop/captures/web${path}`);
});

test('a recording arrives in frames, and its end is checked', async () => {
  const data = Buffer.from('the capture file');
  const sha256 = createHash('sha256').update(data).digest('hex');
  const end = { reason: 'Complete', isComplete: true, bytes: data.length, packets: 1, sha256 };
  await using scene = await apiScene((_, response) => {
    response.writeHead(200, { 'content-type': framesMediaType });
    response.write(dataFrameHeader(data.length));
    response.write(data);
    response.end(controlFrame({ kind: 'end', end }));
  });
  const opened = await openCaptureStream(scene.cluster, recording, signal);
  if (opened.kind !== 'open') throw new Error(opened.message);
  await using stream = opened.stream;
  expect(Buffer.concat(await Array.fromAsync(stream.chunks()))).toEqual(data);
  expect(stream.outcome()).toEqual({ kind: 'ended', end });
  expect(scene.requests).toMatchObject([{ headers: { accept: framesMediaType } }]);
});

test('a stream whose connection is cut is cut', async () => {
  await using scene = await apiScene((_, response) => {
    response.writeHead(200, { 'content-type': framesMediaType });
    response.write(dataFrameHeader(10));
    response.write('half', () => response.destroy());
  });
  const opened = await openCaptureStream(scene.cluster, recording, signal);
  if (opened.kind !== 'open') throw new Error(opened.message);
  await using stream = opened.stream;
  expect(Buffer.concat(await Array.fromAsync(stream.chunks())).toString()).toBe('half');
  expect(stream.outcome()).toMatchObject({ kind: 'cut', message: expect.stringContaining('after 4 bytes') });
});

test.each([
  [
    recording,
    'captures.podcap.dev "web" is forbidden: User "jane" cannot get resource "captures/log"',
    'download',
  ],
  [
    recording,
    'you may see captures in shop, but not download them: verb download on captures.podcap.dev',
    'download',
  ],
  [
    { ...recording, kind: 'tap' } as const,
    'you may not tap captures in shop: verb tap on captures.podcap.dev',
    'tap',
  ],
])('who may not do %j reads why, and which role is missing', async (request, message, action) => {
  await using scene = await apiScene((_, response) => answerStatus(response, 403, 'Forbidden', message));
  expect(await openCaptureStream(scene.cluster, request, signal)).toEqual({
    kind: 'refused',
    status: 403,
    reason: 'Forbidden',
    message: `${message}\nAn administrator can grant it: kubectl create rolebinding -n shop podcap-${action} --clusterrole=podcap-${action} --user=USER`,
    canRetry: false,
  });
});

test('any other refusal has the words of the hub alone', async () => {
  const message = 'Pod web uses the network of the host (Node node1: HostNetwork)';
  await using scene = await apiScene((_, response) => answerStatus(response, 403, 'Forbidden', message));
  expect(await openCaptureStream(scene.cluster, recording, signal)).toMatchObject({ status: 403, message });
});

test('an answer that is not in frames is a refusal', async () => {
  await using scene = await apiScene((_, response) => {
    response.writeHead(200, { 'content-type': 'application/vnd.tcpdump.pcap' }).end('x');
  });
  expect(await openCaptureStream(scene.cluster, recording, signal)).toMatchObject({
    kind: 'refused',
    message: expect.stringContaining('is application/vnd.tcpdump.pcap, not application/vnd.podcap.frames'),
    canRetry: false,
  });
});

test('an API server that cannot be reached is a refusal that can be tried again', async () => {
  await using scene = await apiScene((_, response) => {
    // As kubectl proxy answers.
    response.removeHeader('audit-id');
    response
      .writeHead(500, { 'content-type': 'text/plain; charset=utf-8' })
      .end('dial tcp: connection refused\n');
  });
  expect(await openCaptureStream(scene.cluster, recording, signal)).toEqual({
    kind: 'refused',
    status: 0,
    reason: 'Unreachable',
    message: new UnreachableServer('dial tcp: connection refused').message,
    canRetry: true,
  });
});

test('a proxy that has ended is a failure', async () => {
  const ended = Promise.resolve({ kind: 'ended', how: 'it was ended by SIGKILL' } as const);
  const proxy = { socketPath: '/none', ended, [Symbol.asyncDispose]: () => Promise.resolve() };
  using requests = proxiedRequests(proxy, { requestedMs: undefined });
  const cluster = {
    namespace: 'shop',
    request: requests.send,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  await expect(openCaptureStream(cluster, recording, signal)).rejects.toThrow(
    'kubectl proxy does not answer any more: it was ended by SIGKILL',
  );
});
