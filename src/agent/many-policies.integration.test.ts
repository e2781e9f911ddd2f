import { once } from 'node:events';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { until } from '../base/until.ts';
import { podObject } from '../kubernetes/testing/pod-object.ts';
import { writeCniEntry } from '../testbed/write-cni-entry.ts';
import { readRecords } from './storage/capture-records.ts';
import { readRequester } from './storage/requester.ts';
import type { AgentUsage } from './testing/measured-agent-program.ts';
import { policyObject } from './testing/policy-object.ts';
import { processScene } from './testing/process-scene.ts';

const podCount = 1_000;
const policyCount = 200;
/** The Pods that have a network. */
const capturedCount = 10;

test('1,000 Pods and 200 policies that keep changing: each Pod is captured as it asks, without a list, in flat memory', {
  timeout: 400_000,
}, async () => {
  await using node = await nodeScene();
  for (let round = 0; round < 10; round += 1) await node.changeAll(round);
  const early = await node.usage();
  for (let round = 10; round < 40; round += 1) await node.changeAll(round);
  const late = await node.usage();
  expect(late.heapKib).toBeLessThan(1.05 * early.heapKib);
  expect(late.rssAnonKib).toBeLessThan(1.1 * early.rssAnonKib);
  // At that moment a few files may be open.
  expect(late.descriptors).toBeLessThan(early.descriptors + 5);
  // One list of each kind when the agent started.
  expect(node.lists()).toEqual({ list: 1, policyList: 1, policyRead: 0 });
});

/** A Node with many Pods, none of which a policy selects yet. */
async function nodeScene() {
  const scene = await processScene(capturedCount);
  const { server, agent, captures, cache, watch, testbeds } = scene;
  const policies = await server.nextPolicyWatch();
  const entries = testbeds.map(({ netns }, at) => {
    const name = `web-${at}`;
    return { folder: cache, podUid: `uid-${name}`, podName: name, sandboxId: `sandbox-${at}`, netns };
  });
  await Promise.all(entries.map(writeCniEntry));
  let version = 1;

  function sendPod(at: number, app: string, type = 'MODIFIED'): void {
    version += 1;
    watch.send({ type, object: podObject(`web-${at}`, `${version}`, {}, { app }) });
  }

  function sendPolicy(at: number, files: number, type: 'ADDED' | 'MODIFIED' | 'DELETED'): void {
    const spec = { selector: { matchLabels: { app: `app-${at}` } }, files };
    policies.send({ type, object: policyObject(`policy-${at}`, spec) });
  }

  for (let at = 0; at < podCount; at += 1) sendPod(at, 'none', 'ADDED');
  for (let at = 0; at < policyCount; at += 1) sendPolicy(at, 2, 'ADDED');

  const folderOf = (at: number) => join(captures, `default_web-${at}_uid-web-${at}`);
  /** The newest capture of the Pod. */
  const newest = async (at: number) => (await readRecords(folderOf(at)).catch(() => [])).at(-1);

  async function isCapturedBy(pod: number, policy: number): Promise<void> {
    const asAsked = async () => {
      const requester = await readRequester(folderOf(pod)).catch(() => undefined);
      return requester?.policy === `policy-${policy}` && (await newest(pod))?.endTime === undefined;
    };
    await until(asAsked, { what: `web-${pod} to be captured by policy-${policy}` });
  }

  return {
    /** Every label and every policy changes. */
    async changeAll(round: number): Promise<void> {
      const policyOf = (pod: number) => (capturedCount * round + pod) % policyCount;
      for (let at = 0; at < podCount; at += 1)
        sendPod(at, at < capturedCount ? `app-${policyOf(at)}` : `other-${round}`);
      for (let at = 0; at < policyCount; at += 1) sendPolicy(at, 2 + (round % 3), 'MODIFIED');
      for (let pod = 0; pod < capturedCount; pod += 1) await isCapturedBy(pod, policyOf(pod));
      sendPolicy(policyOf(0), 2, 'DELETED');
      await until(async () => (await newest(0))?.endTime, { what: 'the end of the capture' });
      sendPolicy(policyOf(0), 2, 'ADDED');
      await isCapturedBy(0, policyOf(0));
    },
    lists() {
      const count = (kind: string) => server.requests.filter((request) => request.kind === kind).length;
      return { list: count('list'), policyList: count('policyList'), policyRead: count('policyRead') };
    },
    async usage(): Promise<AgentUsage> {
      agent.send('usage?');
      const [usage]: AgentUsage[] = await once(agent, 'message');
      if (!usage) throw new Error('no answer');
      return usage;
    },
    [Symbol.asyncDispose]: () => scene[Symbol.asyncDispose](),
  };
}
