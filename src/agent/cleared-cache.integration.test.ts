import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { happens, until } from '../base/until.ts';
import { list } from '../kubernetes/testing/api-server.ts';
import { podObject } from '../kubernetes/testing/pod-object.ts';
import { agentScene } from './testing/agent-scene.ts';

/** A capture whose network is gone ends after 1 s, and its tcpdump within another 1.5 s. */
const withinMs = 5_000;

let observed: Awaited<ReturnType<typeof observe>>;
beforeAll(async () => {
  observed = await observe();
});

test('the Pod is captured until its entry is deleted from the cache', () => {
  expect(observed.before).toHaveLength(1);
  expect(observed.entries).toEqual([]);
});

test('a capture continues when the CNI cache is cleared while the Pod is running', () => {
  expect(observed.hasEnded).toBe(false);
});

async function observe() {
  await using scene = await agentScene({ settings: { cniResyncSeconds: 1 } });
  scene.server.script.list.push(list('5', [podObject('web', '4', { 'tcpdump.antrea.io': '5' })]));
  await using _agent = await scene.start();
  await until(() => scene.eventReasons().includes('CaptureStarted'), { what: 'the capture' });
  const before = await scene.tcpdumps();
  for (const name of await readdir(scene.cache)) await rm(join(scene.cache, name));
  const hasEnded = await happens(async () => (await scene.tcpdumps()).length === 0, { withinMs });
  return { before, hasEnded, entries: await readdir(scene.cache) };
}
