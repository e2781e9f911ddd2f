import { truncate } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { until } from '../base/until.ts';
import { list } from '../kubernetes/testing/api-server.ts';
import { podObject } from '../kubernetes/testing/pod-object.ts';
import { entryPath } from '../testbed/write-cni-entry.ts';
import { agentScene } from './testing/agent-scene.ts';

let observed: Awaited<ReturnType<typeof observe>>;
beforeAll(async () => {
  observed = await observe();
});
afterAll(() => vi.useRealTimers());

test('a minute passes in which the agent waits for the Pod network and writes Events', () => {
  expect(observed.passedMs).toBeGreaterThanOrEqual(60_000);
  expect(observed.events).toContainEqual(warningAbout('bad'));
  expect(observed.events).toContainEqual(warningAbout('late'));
});

test('a Pod whose entry in the CNI cache is cut gets a Warning within a minute', () => {
  expect(observed.events).toContainEqual(warningAbout('web'));
});

async function observe() {
  await using scene = await agentScene();
  const entry = { folder: scene.cache, podUid: 'uid-web', sandboxId: 'sandbox1', netns: scene.netns };
  await truncate(entryPath(entry), 100);
  const invalid = { 'tcpdump.antrea.io': 'x' };
  scene.server.script.list.push(
    list('5', [podObject('web', '4', { 'tcpdump.antrea.io': '5' }), podObject('bad', '4', invalid)]),
  );
  vi.useFakeTimers({ toFake: [...toFake], shouldAdvanceTime: true });
  await using agent = await scene.start();
  const isWaiting = async () => (await agent.ask('/metrics')).includes('podcap_captures{state="waiting"} 1');
  await until(isWaiting, { what: 'the agent to wait for the network' });

  const startMs = performance.now();
  while (performance.now() < startMs + 60_000) {
    await vi.advanceTimersByTimeAsync(500);
    // Lets the work continue that timers have started: files, the API server.
    for (let i = 0; i < 20; i += 1) await setImmediate();
  }
  const passedMs = performance.now() - startMs;

  // Every Event of that minute is written before this one.
  scene.server.watches.at(-1)?.send({ type: 'ADDED', object: podObject('late', '6', invalid) });
  const events = () =>
    scene.server.requests.flatMap(({ path, body }) => (path.endsWith('/events') ? [body] : []));
  await until(() => events().some((body) => JSON.stringify(body).includes('uid-late')), {
    what: 'the last Event',
  });
  vi.useRealTimers();
  return { passedMs, events: events() };
}

/** Only these: I/O keeps its real time. */
const toFake = ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'] as const;

function warningAbout(name: string): unknown {
  return expect.objectContaining({
    type: 'Warning',
    involvedObject: expect.objectContaining({ name }),
  });
}
