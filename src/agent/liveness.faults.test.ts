import { describe, expect, test } from 'vitest';
import { happens, until } from '../base/until.ts';
import { processScene } from './testing/process-scene.ts';

/** Longer than any work of an agent may take before it counts as stuck, except measuring. */
const longerThanStuckMs = 90_000;

describe.concurrent('the health check of an agent', () => {
  test('fails within 90 s once all threads that access files are blocked', async () => {
    await using scene = await processScene(1);
    expect(await health(scene.probePort)).toBe('200 ok\n');
    scene.agent.send('block the threads');
    const failed = await until(
      async () => (await health(scene.probePort)).startsWith('503') && (await health(scene.probePort)),
      { what: '/healthz to fail', deadlineMs: longerThanStuckMs, everyMs: 500 },
    );
    expect(failed).toContain('sampling the disk: not done for 6');
    scene.agent.kill('SIGKILL');
  });

  test('succeeds while the API server is away for 90 s', async () => {
    await using scene = await processScene(1);
    await scene.server[Symbol.asyncDispose]();
    const hasFailed = () =>
      happens(async () => (await health(scene.probePort)) !== '200 ok\n', { withinMs: longerThanStuckMs });
    expect(await hasFailed()).toBe(false);
  });
});

async function health(port: number): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}/healthz`);
  return `${response.status} ${await response.text()}`;
}
