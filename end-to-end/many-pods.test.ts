import { afterAll, beforeAll, expect, test } from 'vitest';
import { nodes } from '../cluster/layout.ts';
import { captureAnnotation } from '../src/agent/planner/annotations.ts';
import { until } from '../src/testbed/until.ts';
import { firstHeard } from './support/first-datagram.ts';
import { firstWords, receiver, ticker } from './support/pod-manifests.ts';
import {
  agentOn,
  captureFolder,
  kubectl,
  numbersIn,
  type RunningPod,
  run,
  type TestCluster,
  tcpdumpsOf,
  testCluster,
  untilFolder,
} from './support/test-cluster.ts';

let cluster: TestCluster;
let target: RunningPod;

beforeAll(async () => {
  cluster = await testCluster();
  await cluster.create(receiver({ name: 'receiver' }));
  target = await cluster.running('receiver');
});
afterAll(() => cluster[Symbol.asyncDispose]());

test('of 20 Pods created with the annotation 19 or more have their very first datagram in the file, and no loss is untold', async () => {
  const names = Array.from({ length: 20 }, (_, i) => ({ name: `new-${i}`, withInit: i % 2 === 1 }));
  await Promise.all(
    names.map((options) => cluster.create(firstWords({ ...options, to: target.ip, annotation: '2' }))),
  );
  const pods = await Promise.all(names.map(({ name }) => cluster.running(name)));
  const heard = await Promise.all(pods.map(firstHeard));
  const whole = heard.filter(({ first }) => first === 0);
  const untold = heard.filter(({ first, missedBefore }) => missedBefore < first);
  expect(untold).toEqual([]);
  expect(whole.length).toBeGreaterThanOrEqual(19);
  await Promise.all(names.map(({ name }) => cluster.delete(name, '--grace-period=0', '--force')));
});

test('60 Pods created at once with the annotation are all captured, and nothing is left when it is removed', async () => {
  const names = Array.from({ length: 60 }, (_, i) => `crowd-${i}`);
  await Promise.all(names.map((name) => cluster.create(ticker({ name, to: target.ip, annotation: '2' }))));
  const pods = await Promise.all(names.map((name) => cluster.running(name)));
  const heard = await Promise.all(pods.map(firstHeard));
  // What is not in the file was counted; how often that happens, the test before holds.
  expect(heard.filter(({ first, missedBefore }) => missedBefore < first)).toEqual([]);
  const folders = await Promise.all(pods.map(untilFolder));
  expect(new Set(folders).size).toBe(60);
  for (const [i, folder] of folders.entries()) {
    const first = heard[i]?.first ?? Number.NaN;
    const numbers = await until(async () => atLeast(5, await numbersIn(folder)), {
      what: `5 datagrams in ${folder}`,
      deadlineMs: 30_000,
    });
    expect(numbers).toEqual(run(first, numbers.length));
  }
  for (const pod of pods) expect(await tcpdumpsOf(pod)).toHaveLength(1);

  await kubectl('-n', cluster.namespace, 'annotate', 'pods', '--all', `${captureAnnotation}-`);
  await until(async () => (await Promise.all(pods.map(captureFolder))).every((folder) => !folder), {
    what: 'no folder',
  });
  for (const pod of pods) expect(await tcpdumpsOf(pod)).toEqual([]);
});

test('each agent captures the Pods of its own Node only', async () => {
  for (const { name } of nodes) {
    await cluster.create(
      firstWords({ name: `on-${name}`, node: name, withInit: false, to: target.ip, annotation: '1' }),
    );
  }
  for (const { name } of nodes) {
    const pod = await cluster.running(`on-${name}`);
    await cluster.event(pod.uid, 'CaptureStarted');
    const folders = await kubectl('-n', 'kube-system', 'exec', await agentOn(name), '--', 'ls', '/captures');
    const ours = folders.split('\n').filter((folder) => folder.startsWith(`${cluster.namespace}_on-`));
    expect(ours).toEqual([`${cluster.namespace}_on-${name}_${pod.uid}`]);
  }
});

function atLeast(count: number, numbers: readonly number[]) {
  return numbers.length >= count && numbers;
}
