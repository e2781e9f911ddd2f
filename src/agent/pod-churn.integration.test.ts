import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { until } from '../base/until.ts';
import type { ApiServer } from '../kubernetes/testing/api-server.ts';
import { podObject } from '../kubernetes/testing/pod-object.ts';
import type { VethTestbed } from '../testbed/veth-testbed.ts';
import { removeCniEntry, writeCniEntry } from '../testbed/write-cni-entry.ts';
import { readRecord } from './storage/capture-records.ts';
import type { AgentUsage } from './testing/measured-agent-program.ts';
import { processScene } from './testing/process-scene.ts';

const wanted = { 'tcpdump.antrea.io': '1' };
/** The client keeps up to this many connections to the API server, and fewer after it needed only one for a while. */
const keptConnections = 4;
/** How many Pods run at a time. */
const atOnce = 10;

test('after 3,000 Pods have come and gone, the agent uses no more memory than after 1,000', {
  timeout: 400_000,
}, async () => {
  await using node = await nodeScene();
  await node.runPods(0, 1_000);
  const early = await node.usage();
  await node.runPods(1_000, 3_000);
  const late = await node.usage();
  expect(late.watches).toBe(early.watches);
  expect(late.descriptors).toBe(early.descriptors);
  expect(late.sockets).toBeLessThanOrEqual(early.sockets + keptConnections);
  expect(late.heapKib).toBeLessThan(1.05 * early.heapKib);
  expect(late.rssAnonKib).toBeLessThan(1.05 * early.rssAnonKib);
});

/** A Node with a network for each Pod that runs at a time. */
async function nodeScene() {
  const scene = await processScene(atOnce);
  const { testbeds, captures, cache, server, agent, watch } = scene;
  let finishedPods = 0;

  async function runPod(index: number, { netns }: VethTestbed): Promise<void> {
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
    const withoutAnnotation = podObject(name, `${10 * index + 3}`);
    server.objects.set(path, withoutAnnotation);
    watch.send({ type: 'MODIFIED', object: withoutAnnotation });
    await until(isGone, { what: `the captures of ${name} to be deleted`, deadlineMs: 30_000 });
    server.objects.delete(path);
    watch.send({ type: 'DELETED', object: podObject(name, `${10 * index + 4}`) });
    await removeCniEntry(entry);
  }

  async function ask(): Promise<AgentUsage> {
    agent.send('usage?');
    const [usage]: AgentUsage[] = await once(agent, 'message');
    if (!usage) throw new Error('no answer');
    return usage;
  }

  return {
    async runPods(from: number, to: number): Promise<void> {
      let next = from;
      const pods = testbeds.map(async (testbed) => {
        while (next < to) {
          next += 1;
          await runPod(next, testbed);
        }
      });
      await Promise.all(pods);
      finishedPods = to;
    },
    /** Measured once everything about the Pods is finished: an Event that waits to be written takes memory too. */
    async usage(): Promise<AgentUsage> {
      await until(() => isEveryEventWritten(server, finishedPods), {
        what: 'the Events',
        deadlineMs: 60_000,
      });
      return await ask();
    },
    [Symbol.asyncDispose]: () => scene[Symbol.asyncDispose](),
  };
}

/** Two for each Pod: its capture started, and it stopped. */
function isEveryEventWritten({ requests }: ApiServer, pods: number): boolean {
  const reasons = requests.flatMap(({ body }) =>
    body instanceof Object && 'reason' in body ? [body.reason] : [],
  );
  return ['CaptureStarted', 'CaptureStopped'].every(
    (reason) => reasons.filter((each) => each === reason).length === pods,
  );
}
