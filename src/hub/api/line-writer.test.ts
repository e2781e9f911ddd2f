import { once } from 'node:events';
import { createServer, get, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { until } from '../../base/until.ts';
import { listenOnLoopback } from '../../testbed/loopback-port.ts';
import { lineWriter, ReaderStalled } from './line-writer.ts';

/** A response, and what its client receives. */
async function exchange(): Promise<{
  readonly response: ServerResponse;
  readonly received: IncomingMessage;
}> {
  const { promise, resolve } = Promise.withResolvers<ServerResponse>();
  const server = createServer((_, served) => {
    served.flushHeaders();
    resolve(served);
  });
  const port = await listenOnLoopback(server);
  const asked = get({ host: '127.0.0.1', port, agent: false });
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const [received]: IncomingMessage[] = await once(asked, 'response');
  const response = await promise;
  if (!received) throw new Error('no response');
  received.on('error', () => {});
  return { response, received };
}

const line = Buffer.from(`${'x'.repeat(999)}\n`);

test('writes lines in their order, however many there are', async () => {
  const { response, received } = await exchange();
  const { signal } = aborter();
  const writer = lineWriter(response, { signal, stalledMs: 10_000 });
  const all = text(received);
  for (let at = 0; at < 20_000; at += 1) await writer.write(Buffer.from(`${at}\n`));
  writer.flush();
  response.end();
  expect((await all).split('\n')).toEqual([...Array.from({ length: 20_000 }, (_, at) => `${at}`), '']);
});

test('writes many lines that come as one in their place', async () => {
  const { response, received } = await exchange();
  const writer = lineWriter(response, { ...aborter(), stalledMs: 10_000 });
  const all = text(received);
  const many = Array.from({ length: 40_000 }, (_, at) => `${at}\n`).join('');
  for (const lines of ['first\n', many, 'between\n', many, 'last\n']) await writer.write(Buffer.from(lines));
  writer.flush();
  response.end();
  expect((await all) === `first\n${many}between\n${many}last\n`).toBe(true);
});

test('a line is sent at once, even if no other follows', async () => {
  const { response, received } = await exchange();
  await lineWriter(response, { ...aborter(), stalledMs: 10_000 }).write(line);
  const [part]: Buffer[] = await once(received, 'data');
  expect(part).toEqual(line);
});

test('gives up on a client that reads nothing, without keeping more than the socket takes', async () => {
  const { response } = await exchange();
  const writer = lineWriter(response, { ...aborter(), stalledMs: 200 });
  const writing = (async () => {
    for (;;) await writer.write(line);
  })();
  await expect(writing).rejects.toThrow(ReaderStalled);
  expect(response.writableLength).toBeLessThan(1024 * 1024);
});

test('gives up also if there is little to write', async () => {
  const { response } = await exchange();
  const writer = lineWriter(response, { ...aborter(), stalledMs: 200 });
  const writing = (async () => {
    for (;;) {
      await writer.write(line);
      await nextTurn();
    }
  })();
  await expect(writing).rejects.toThrow(ReaderStalled);
  expect(response.writableLength).toBeLessThan(1024 * 1024);
});

test('goes on when a slow client reads again', async () => {
  const { response, received } = await exchange();
  const writer = lineWriter(response, { ...aborter(), stalledMs: 10_000 });
  let [lines, isWaiting] = [0, false];
  const writing = (async () => {
    while (lines < 20_000) {
      isWaiting = true;
      await writer.write(line);
      isWaiting = false;
      lines += 1;
    }
    writer.flush();
    response.end();
  })();
  await until(() => isWaiting && response.writableNeedDrain, { what: 'the writer to wait' });
  expect((await text(received)).length).toBe(20_000 * line.length);
  await writing;
});

test('ends with its signal while it waits', async () => {
  const { response } = await exchange();
  const controller = new AbortController();
  const writer = lineWriter(response, { signal: controller.signal, stalledMs: 10_000 });
  const writing = (async () => {
    for (;;) await writer.write(line);
  })();
  await until(() => response.writableNeedDrain, { what: 'the writer to wait' });
  const reason = new Error('the end');
  controller.abort(reason);
  await expect(writing).rejects.toBe(reason);
});

function aborter(): { readonly signal: AbortSignal } {
  return { signal: new AbortController().signal };
}
