import { pino } from 'pino';
import { expect, test } from 'vitest';
import { serveProbes } from './probe-server.ts';

test('answers /readyz by what the agent is not ready for, and nothing but the probes', async () => {
  await using scene = await probeScene();
  expect(await scene.ask('/readyz')).toBe('200 ok\n');
  scene.unready.push('captures that have not started yet: 2');
  expect(await scene.ask('/readyz')).toBe('503 captures that have not started yet: 2\n');
  expect(await scene.ask('/healthz')).toBe('200 ok\n');
  expect(await scene.ask('/metrics')).toBe('404 not found\n');
});

test('answers /healthz by what is stuck, and logs it once', async () => {
  await using scene = await probeScene();
  expect(await scene.ask('/healthz')).toBe('200 ok\n');
  scene.stuck.push('planning: not done for 61 s');
  for (let i = 0; i < 3; i += 1)
    expect(await scene.ask('/healthz')).toBe('503 planning: not done for 61 s\n');
  expect(await scene.ask('/readyz')).toBe('200 ok\n');
  expect(scene.lines).toEqual([expect.stringContaining('"stuck":["planning: not done for 61 s"]')]);
  scene.stuck.pop();
  expect(await scene.ask('/healthz')).toBe('200 ok\n');
});

async function probeScene() {
  const [stuck, unready, lines]: [string[], string[], string[]] = [[], [], []];
  const log = pino({ level: 'info' }, { write: (line) => void lines.push(line) });
  const probes = await serveProbes({ port: 0, stuckWork: () => stuck, unreadyReasons: () => unready, log });
  return {
    stuck,
    unready,
    lines,
    async ask(path: string): Promise<string> {
      const response = await fetch(`http://127.0.0.1:${probes.port}${path}`);
      return `${response.status} ${await response.text()}`;
    },
    [Symbol.asyncDispose]: () => probes[Symbol.asyncDispose](),
  };
}
