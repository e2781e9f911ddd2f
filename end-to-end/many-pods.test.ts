import { expect } from 'vitest';
import { nodes } from '../cluster/layout.ts';
import { captureAnnotation } from '../src/agent/planner/annotations.ts';
import { execInAgent } from './support/agents.ts';
import { test as clusterTest } from './support/cluster-test.ts';
import { expectConsecutive } from './support/consecutive.ts';
import { waitForFirstDatagram } from './support/first-datagram.ts';
import { waitForCaptureFolder, waitForFoldersDeleted } from './support/node-captures.ts';
import { receiver, startupSender, ticker } from './support/pod-manifests.ts';
import { tcpdumpsOf } from './support/pod-processes.ts';
import { numbersIn, waitForDatagrams } from './support/ring-contents.ts';
import { kubectl } from './support/run-kubectl.ts';

/** The Pods send to another Pod. */
const test = clusterTest.extend('target', { scope: 'file' }, ({ cluster }) =>
  cluster.start(receiver({ name: 'receiver' })),
);

test('at least 19 of 20 Pods created with the annotation have their first datagram in a file, and every miss is counted', async ({
  cluster,
  target,
}) => {
  const names = Array.from({ length: 20 }, (_, i) => ({ name: `new-${i}`, withInit: i % 2 === 1 }));
  const pods = await Promise.all(
    names.map((options) => cluster.start(startupSender({ ...options, to: target.ip, annotation: '2' }))),
  );
  const starts = await Promise.all(pods.map(waitForFirstDatagram));
  expect(starts.filter(({ first, missedBefore }) => missedBefore < first)).toEqual([]);
  expect(starts.filter(({ first }) => first === 0).length).toBeGreaterThanOrEqual(19);
  await Promise.all(names.map(({ name }) => cluster.delete(name, '--grace-period=0', '--force')));
});

test('captures 60 Pods that are created at once with the annotation, and leaves nothing when it is removed', async ({
  cluster,
  target,
}) => {
  const names = Array.from({ length: 60 }, (_, i) => `crowd-${i}`);
  await Promise.all(names.map((name) => cluster.create(ticker({ name, to: target.ip, annotation: '2' }))));
  const pods = await Promise.all(names.map((name) => cluster.running(name)));
  const starts = await Promise.all(pods.map(waitForFirstDatagram));
  // What is not in the file was counted. The test above limits how often that happens.
  expect(starts.filter(({ first, missedBefore }) => missedBefore < first)).toEqual([]);
  const folders = await Promise.all(pods.map(waitForCaptureFolder));
  expect(new Set(folders).size).toBe(60);
  for (const [i, folder] of folders.entries()) {
    await waitForDatagrams(folder, 4, { deadlineMs: 30_000 });
    expect(expectConsecutive(await numbersIn(folder)).first).toBe(starts[i]?.first);
  }
  for (const pod of pods) expect(await tcpdumpsOf(pod)).toHaveLength(1);

  await kubectl('-n', cluster.namespace, 'annotate', 'pods', '--all', `${captureAnnotation}-`);
  await waitForFoldersDeleted(pods);
  for (const pod of pods) expect(await tcpdumpsOf(pod)).toEqual([]);
});

test('each agent captures only the Pods of its own Node', async ({ cluster, target }) => {
  const sender = { withInit: false, to: target.ip, annotation: '1' };
  for (const { name } of nodes) {
    await cluster.create(startupSender({ name: `on-${name}`, node: name, ...sender }));
  }
  for (const { name } of nodes) {
    const pod = await cluster.running(`on-${name}`);
    await cluster.event(pod.uid, 'CaptureStarted');
    const folders = (await execInAgent(name, 'ls', '/captures')).split('\n');
    const ours = folders.filter((folder) => folder.startsWith(`${cluster.namespace}_on-`));
    expect(ours).toEqual([`${cluster.namespace}_on-${name}_${pod.uid}`]);
  }
});
