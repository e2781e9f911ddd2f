import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { ApiServer } from '../kubernetes/testing/api-server.ts';
import { podObject } from '../kubernetes/testing/pod-object.ts';
import { until } from '../testbed/until.ts';
import type { VethTestbed } from '../testbed/veth-testbed.ts';
import { removeCniEntry, writeCniEntry } from '../testbed/write-cni-entry.ts';
import { readRecord } from './storage/capture-records.ts';
import type { AgentUsage } from './testing/measured-agent.ts';
import { processScene } from './testing/process-scene.ts';

const wanted = { 'tcpdump.antrea.io': '1' };
/** To the API server: the client keeps up to so many, and has fewer after a time in which it needed one alone. */
const keptConnections = 4;
/** So many Pods live at a time. */
const atOnce = 10;

test('after 3,000 Pod lives the agent holds what it held after 1,000', { timeout: 400_000 }, async () => {
  await using node = await nodeScene();
  await node.live(0, 1_000);
  const early = await node.holds();
  await node.live(1_000, 3_000);
  const late = await node.holds();
  expect(late.watches).toBe(early.watches);
  expect(late.descriptors).toBe(early.descriptors);
  expect(late.sockets).toBeLessThanOrEqual(early.sockets + keptConnections);
  expect(late.heapKib).toBeLessThan(1.05 * early.heapKib);
  expect(late.rssAnonKib).toBeLessThan(1.05 * early.rssAnonKib);
});

/** A Node with a network for each Pod that lives at a time. */
async function nodeScene() {
  const scene = await processScene(atOnce);
  const { labs, captures, cache, server, agent, watch } = scene;
  let lived = 0;

  async function liveOne(index: number, { netns }: VethTestbed): Promise<void> {
    const name = `web-${index}`;
    const entry = {
      folder: cache,
      podUid: `uid-${name}`,
      podName: name,
      sandboxId: `sandbox-${index}`,
      netns,
    };
    const path = `/api/v1/namespaces/default/pods/${name}`;
    const folder = join(captures, `default_${name}_uid-${name}`);
    const isCaptured = async () => (await readRecord(folder, 1))?.interfacePackets !== undefined;
    const isGone = async () => (await readdir(folder).catch(() => undefined)) === undefined;
    watch.send({ type: 'ADDED', object: podObject(name, `${10 * index + 2}`, wanted) });
    await writeCniEntry(entry);
    await until(isCaptured, { what: `${name} to be captured`, deadlineMs: 30_000 });
    const unwanted = podObject(name, `${10 * index + 3}`);
    server.objects.set(path, unwanted);
    watch.send({ type: 'MODIFIED', object: unwanted });
    await until(isGone, { what: `the captures of ${name} to go`, deadlineMs: 30_000 });
    server.objects.delete(path);
    watch.send({ type: 'DELETED', object: podObject(name, `${10 * index + 4}`) });
    await removeCniEntry(entry);
  }

  async function ask(): Promise<AgentUsage> {
    agent.send('what do you hold?');
    const [held]: AgentUsage[] = await once(agent, 'message');
    if (!held) throw new Error('no answer');
    return held;
  }

  return {
    async live(from: number, to: number): Promise<void> {
      let next = from;
      const lives = labs.map(async (testbed) => {
        while (next < to) {
          next += 1;
          await liveOne(next, testbed);
        }
      });
      await Promise.all(lives);
      lived = to;
    },
    /** When everything of the Pods is over: an Event that waits to be written is held too. */
    async holds(): Promise<AgentUsage> {
      await until(() => isEveryEventTold(server, lived), { what: 'the Events', deadlineMs: 60_000 });
      return await ask();
    },
    [Symbol.asyncDispose]: () => scene[Symbol.asyncDispose](),
  };
}

/** A capture that started, and one that stopped, for each Pod. */
function isEveryEventTold({ requests }: ApiServer, pods: number): boolean {
  const reasons = requests.flatMap(({ body }) =>
    body instanceof Object && 'reason' in body ? [body.reason] : [],
  );
  return ['CaptureStarted', 'CaptureStopped'].every(
    (reason) => reasons.filter((each) => each === reason).length === pods,
  );
}
