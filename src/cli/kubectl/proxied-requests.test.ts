import { once } from 'node:events';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { openCaptureStream } from '../api/open-capture-stream.ts';
import { proxiedRequests } from './proxied-requests.ts';

test('without --request-timeout, too, a server that has answered before must answer, and can be tried again', async () => {
  await using folder = await temporaryFolder();
  const socketPath = join(folder.path, 'socket');
  await using server = createServer(({ url }, response) => {
    if (url === '/version') response.end('{}');
  });
  await once(server.listen(socketPath), 'listening');
  const proxy = {
    socketPath,
    ended: new Promise<never>(() => {}),
    [Symbol.asyncDispose]: async () => {},
  };
  using requests = proxiedRequests(proxy, { requestedMs: undefined, defaultMs: 20 });
  const { signal } = new AbortController();
  (await requests.send({ path: '/version', signal })).body.resume();
  const cluster = { namespace: 'shop', request: requests.send, [Symbol.asyncDispose]: async () => {} };
  const opened = await openCaptureStream(
    cluster,
    { kind: 'recording', namespace: 'shop', pod: 'web' },
    signal,
  );
  expect(opened).toMatchObject({
    reason: 'Unreachable',
    message: 'kubectl cannot reach the API server: it has not answered within 0.02 s',
    canRetry: true,
  });
  server.closeAllConnections();
});
