import { once } from 'node:events';
import { connect } from 'node:net';
import { beforeAll, expect, test } from 'vitest';
import { serveHealth } from './health-server.ts';

let observed: Awaited<ReturnType<typeof observe>>;
beforeAll(async () => {
  observed = await observe();
});

test('a client that never reads has a response waiting, and other clients get theirs', () => {
  expect(observed.made).toBeGreaterThan(0);
  expect(observed.health).toBe(200);
});

test.fails('makes only a few responses for a client that reads none of them', () => {
  expect(observed.made).toBeLessThan(10);
});

async function observe() {
  let made = 0;
  const metrics = () => {
    made += 1;
    return 'metric 1\n'.repeat(10_000);
  };
  await using server = await serveHealth({ port: 0, unreadyReasons: () => [], metrics });
  const client = connect(server.port, '127.0.0.1');
  client.on('error', () => {});
  client.write('GET /metrics HTTP/1.1\r\nHost: agent\r\n\r\n'.repeat(500));
  await once(client, 'readable');
  const { status: health } = await fetch(`http://127.0.0.1:${server.port}/healthz`);
  client.destroy();
  return { made, health };
}
