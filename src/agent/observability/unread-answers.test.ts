import { once } from 'node:events';
import { Agent, get, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
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

test('makes only a few responses for a client that reads none of them', () => {
  expect(observed.made).toBeLessThan(10);
});

test('a client that reads each answer before it asks again keeps its connection', async () => {
  const body = 'metric 1\n'.repeat(100_000);
  await using server = await serveHealth({ port: 0, unreadyReasons: () => [], metrics: () => body });
  using agent = keepAliveAgent();
  const ports = new Set<number | undefined>();
  for (let times = 0; times < 20; times += 1) {
    const request = get({ port: server.port, path: '/metrics', agent });
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      request.on('response', resolve).on('error', reject);
    });
    ports.add(response.socket.localPort);
    expect((await text(response)).length).toBe(body.length);
  }
  expect(ports.size).toBe(1);
});

function keepAliveAgent(): Agent & Disposable {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  return Object.assign(agent, { [Symbol.dispose]: () => agent.destroy() });
}

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
