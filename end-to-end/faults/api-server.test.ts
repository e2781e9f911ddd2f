import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startComponent, stopComponent } from '../../cluster/component-control.ts';
import { control, nodes } from '../../cluster/layout.ts';
import { until } from '../../src/testbed/until.ts';
import { agentProcess } from '../support/agent-usage.ts';
import { type CapturedPod, capturedPod } from '../support/captured-pod.ts';
import { inNetworkOf, partition, reconnect } from '../support/network-partition.ts';
import { idle } from '../support/pod-manifests.ts';
import { printFigures } from '../support/print-figures.ts';
import {
  endSending,
  lengthAfter,
  newestGeneration,
  type SendingPod,
  sendingPod,
} from '../support/sending-pod.ts';
import {
  agentOn,
  captureFolder,
  kubectl,
  type RunningPod,
  type TestCluster,
  tcpdumpsOf,
  testCluster,
  untilFolder,
} from '../support/test-cluster.ts';

const apiServer = { machine: control, name: 'kube-apiserver' } as const;
/** As issues of production last: longer than most timeouts. */
const longOutageMs = 120_000;
const longOutages = 5;

const kills = 20;

let cluster: TestCluster;

beforeAll(async () => {
  cluster = await testCluster();
});
afterAll(() => cluster[Symbol.asyncDispose]());

test(`the API server is killed and comes back ${kills} times: captures go on untouched, changes after it take effect, one list at most`, async () => {
  const [web, other] = await sendingPods('short');
  const toggled = await idlePod('toggled');
  const tcpdumps = await Promise.all([web, other].map(tcpdumpsOf));
  const sinceMs = Date.now();
  const effectMs: number[] = [];
  for (let round = 0; round < kills; round += 1) {
    await stopComponent(apiServer);
    const { count } = web.receiver.heard();
    await until(() => web.receiver.heard().count > count + 400, { what: 'two seconds of datagrams' });
    await startComponent(apiServer);
    effectMs.push(await takesEffect(toggled, round % 2 === 0));
  }
  expect(await Promise.all([web, other].map(tcpdumpsOf))).toEqual(tcpdumps);
  await endUntouched([web, other]);
  const listed = await listsSince(sinceMs);
  printFigures(`${kills} short outages`, { effectMs, listed });
  expect(listed).toBeLessThanOrEqual(kills * nodes.length);
});

test(`the API server is away for 2 minutes, ${longOutages} times: captures go on, an agent that starts meanwhile goes on with them, and it is not stormed when it is back`, async () => {
  const [web, other] = await sendingPods('long');
  const toggled = await idlePod('toggled-late');
  const tcpdumps = await tcpdumpsOf(web);
  const sinceMs = Date.now();
  const readyz = await askAgent('node1', '/readyz');
  const effectMs: number[] = [];
  for (let round = 0; round < longOutages; round += 1) {
    const [agent, newest] = [await agentProcess(cluster, 'node2'), await newestGeneration(other.folder)];
    await stopComponent(apiServer);
    try {
      const over = setTimeout(longOutageMs);
      process.kill(agent.pid, 'SIGKILL');
      await until(async () => (await lengthAfter(other.folder, newest)) > 20, {
        what: 'datagrams in files of an agent that never saw the API server',
        deadlineMs: 60_000,
      });
      expect(await readyz()).toContain('\nok\n');
      await over;
      expect(await tcpdumpsOf(web)).toEqual(tcpdumps);
      expect(await readyz()).toContain('\nok\n');
    } finally {
      await startComponent(apiServer);
    }
    effectMs.push(await takesEffect(toggled, round % 2 === 0));
  }
  expect(await tcpdumpsOf(web)).toEqual(tcpdumps);
  const accounts = [await endSending(cluster, web), await endSending(cluster, other)];
  const listed = await listsSince(sinceMs);
  printFigures(`${longOutages} times 2 minutes without the API server`, { effectMs, listed, accounts });
  expect(accounts.map(({ generations }) => generations)).toEqual([1, 1 + longOutages]);
  expect(listed).toBeLessThanOrEqual(longOutages * nodes.length);
});

test('both agents are cut off from the API server without a word: what was changed meanwhile takes effect when the way is free', async () => {
  const pods = await sendingPods('cut-off');
  const [wanted, unwanted] = [await idlePod('wanted'), await capturedPod(cluster, 'unwanted')];
  const tcpdumps = await Promise.all(pods.map(tcpdumpsOf));
  const sinceMs = Date.now();
  await Promise.all(nodes.map(({ name }) => partition(name)));
  try {
    await cluster.annotate('wanted', '2');
    await cluster.annotate('unwanted', null);
    // Longer than a connection takes to be known as dead.
    await setTimeout(45_000);
    expect(await captureFolder(wanted)).toBeUndefined();
    expect(await captureFolder(unwanted)).toBe(unwanted.folder);
  } finally {
    await Promise.all(nodes.map(({ name }) => reconnect(name)));
  }
  const since = performance.now();
  await untilFolder(wanted);
  await untilGone(unwanted);
  const effectMs = Math.round(performance.now() - since);
  expect(await Promise.all(pods.map(tcpdumpsOf))).toEqual(tcpdumps);
  await endUntouched(pods);
  const listed = await listsSince(sinceMs);
  printFigures('45 s cut off', { effectMs, listed });
  expect(listed).toBe(0);
});

async function sendingPods(name: string): Promise<[SendingPod, SendingPod]> {
  return await Promise.all([
    sendingPod(cluster, { name: `${name}-node1`, node: 'node1' }),
    sendingPod(cluster, { name: `${name}-node2`, node: 'node2' }),
  ]);
}

async function idlePod(name: string): Promise<RunningPod> {
  await cluster.create(idle({ name, node: 'node1' }));
  return await cluster.running(name);
}

async function endUntouched(pods: readonly SendingPod[]): Promise<void> {
  for (const pod of pods) {
    const account = await endSending(cluster, pod);
    printFigures(pod.name, account);
    expect(account.generations).toBe(1);
  }
}

/** Annotates as soon as the API server takes it; gives back how long it took from then on. */
async function takesEffect(pod: RunningPod, isWanted: boolean): Promise<number> {
  const annotate = () =>
    cluster.annotate(pod.name, isWanted ? '2' : null).then(
      () => true,
      () => false,
    );
  await until(annotate, { what: 'the API server to be back', deadlineMs: 60_000 });
  const since = performance.now();
  if (isWanted) await untilFolder(pod);
  else await untilGone(pod);
  return Math.round(performance.now() - since);
}

async function untilGone(pod: RunningPod | CapturedPod): Promise<void> {
  await until(async () => (await captureFolder(pod)) === undefined, {
    what: `the folder of ${pod.name} to go`,
    deadlineMs: 30_000,
  });
}

/** How often agents have logged since then that a server told them to list again; who never was heard told nothing. */
async function listsSince(sinceMs: number): Promise<number> {
  const logs = nodes.map(async ({ name }) => kubectl('-n', 'kube-system', 'logs', await agentOn(name)));
  const lines = (await Promise.all(logs)).join('\n').split('\n');
  return lines.filter(
    (line) =>
      line.includes('"next":"list"') &&
      !line.includes('"reason":"Unreachable"') &&
      Number(/"time":(\d+)/.exec(line)?.[1]) >= sinceMs,
  ).length;
}

/** Asks the agent of that Node, from the Node: no API server is needed for it. */
async function askAgent(node: string, path: string): Promise<() => Promise<string>> {
  const podIp = ['-o', 'jsonpath={.status.podIP}'];
  const ip = await kubectl('-n', 'kube-system', 'get', 'pod', await agentOn(node), ...podIp);
  const script = `exec 3<>/dev/tcp/${ip}/9780; printf 'GET ${path} HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3`;
  return () => inNetworkOf(node, 'bash', '-c', script);
}
