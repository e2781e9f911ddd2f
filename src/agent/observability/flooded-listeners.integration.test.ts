import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { happens } from '../../base/until.ts';
import { processScene } from '../testing/process-scene.ts';

/** The chart's timeout of a probe, and after how many failures in a row the kubelet restarts the agent. */
const probeMs = 5_000;
const failures = 6;
const withinMs = 8_000;

// Without bounds, each of these floods keeps the agent from answering for as long as it lasts.
describe.each(['probePort', 'metricsPort'] as const)('while another client floods %s', (flooded) => {
  test.each(['pipeline', 'connect'])('with requests: %s, the kubelet gets its answers', async (how) => {
    await using scene = await processScene(1);
    const program = join(import.meta.dirname, '../testing/flooding-client.ts');
    const client = fork(program, [String(scene[flooded]), how]);
    await once(client, 'message');
    let inARow = 0;
    const isRestarted = await happens(
      async () => {
        inARow = (await health(scene.probePort)) === 200 ? 0 : inARow + 1;
        return inARow === failures;
      },
      { withinMs },
    );
    client.kill('SIGKILL');
    await once(client, 'exit');
    expect(isRestarted).toBe(false);
    expect(await health(scene.probePort)).toBe(200);
  });
});

/** Undefined if there is no answer in time. */
async function health(port: number): Promise<number | undefined> {
  const signal = AbortSignal.timeout(probeMs);
  const response = await fetch(`http://127.0.0.1:${port}/healthz`, { signal }).catch(() => undefined);
  return response?.status;
}
