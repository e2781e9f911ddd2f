import { expect, test } from 'vitest';
import { serveHealth } from './health-server.ts';

test('answers the kubelet, and Prometheus where it needs no certificate', async () => {
  const reasons: string[] = ['captures that have not started yet: 2'];
  await using health = await serveHealth({ port: 0, unreadyReasons: () => reasons, metrics: () => 'up 1\n' });
  expect(await ask(health.port, '/healthz')).toBe('200 ok\n');
  expect(await ask(health.port, '/readyz')).toBe('503 captures that have not started yet: 2\n');
  expect(await ask(health.port, '/metrics')).toBe('200 up 1\n');
  reasons.pop();
  expect(await ask(health.port, '/readyz')).toBe('200 ok\n');
});

test('does not serve metrics that are served over TLS', async () => {
  await using health = await serveHealth({ port: 0, unreadyReasons: () => [], metrics: undefined });
  expect(await ask(health.port, '/healthz')).toBe('200 ok\n');
  for (const path of ['/metrics', '/metrics?', '//metrics', '/']) {
    expect(await ask(health.port, path)).toBe('404 not found\n');
  }
});

async function ask(port: number, path: string): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`);
  return `${response.status} ${await response.text()}`;
}
