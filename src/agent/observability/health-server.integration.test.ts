import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { happens } from '../../base/until.ts';
import { processScene } from '../testing/process-scene.ts';

/** The kubelet's default timeout, and after how many failures in a row it restarts the agent. */
const probeMs = 1_000;
const failures = 3;
/** The requests that the agent reads at once from eight connections keep it busy for seconds, on any machine. */
const withinMs = 8_000;

let observed: Awaited<ReturnType<typeof observe>>;
beforeAll(async () => {
  observed = await observe();
});

test('answers /healthz before and after a client floods it with requests', () => {
  expect(observed.before).toBe(200);
  expect(observed.after).toBe(200);
});

test('answers one of three /healthz probes within a second while a client floods it with requests', () => {
  expect(observed.isRestarted).toBe(false);
});

async function observe() {
  await using scene = await processScene(1);
  const health = async (ms: number) => {
    const signal = AbortSignal.timeout(ms);
    return (await fetch(`http://127.0.0.1:${scene.port}/healthz`, { signal })).status;
  };
  const before = await health(10_000);
  const client = fork(join(import.meta.dirname, '../testing/flooding-client.ts'), [String(scene.port)]);
  await once(client, 'message');
  let inARow = 0;
  const isRestarted = await happens(
    async () => {
      inARow = (await health(probeMs).catch(isTimeout)) === true ? inARow + 1 : 0;
      return inARow === failures;
    },
    { withinMs },
  );
  client.kill('SIGKILL');
  await once(client, 'exit');
  return { before, isRestarted, after: await health(20_000) };
}

/** Rethrows anything but a slow answer. */
function isTimeout(error: unknown): true {
  if (error instanceof Error && error.name === 'TimeoutError') return true;
  throw error;
}
