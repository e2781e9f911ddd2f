import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { nodes } from '../../cluster/layout.ts';
import { processId } from '../../cluster/process-id.ts';
import { readRecords, totalsOf } from '../../src/agent/storage/capture-records.ts';
import { capturedNumbers } from '../../src/testbed/captured-numbers.ts';
import { temporaryFolder } from '../../src/testbed/temporary-folder.ts';
import { until } from '../../src/testbed/until.ts';
import { agentSettings, patchAgents, restartAgents } from '../support/agent-daemonset.ts';
import { type AgentProcess, agentProcess, startedMs } from '../support/agent-usage.ts';
import { processesOf, spawnerProgram } from '../support/pod-processes.ts';
import { printFigures } from '../support/print-figures.ts';
import { readBack } from '../support/read-back.ts';
import {
  digestsUpTo,
  endSending,
  firstPacketAfter,
  lengthAfter,
  newestGeneration,
  type SendingPod,
  sendingPod,
} from '../support/sending-pod.ts';
import { kubectl, run, type TestCluster, tcpdumpsOf, testCluster } from '../support/test-cluster.ts';

// Each round is on both Nodes at once, so it counts twice.

let cluster: TestCluster;

beforeAll(async () => {
  cluster = await testCluster();
});
afterAll(() => cluster[Symbol.asyncDispose]());

test('20 agents are killed: each next one captures within seconds, in new files, and every gap is told', async () => {
  const generations = await endAgents({ name: 'killed', rounds: 10 }, async ({ pid }) => {
    process.kill(pid, 'SIGKILL');
  });
  expect(generations).toEqual([11, 11]);
});

test('the spawners of 20 agents are killed: the same', async () => {
  const generations = await endAgents({ name: 'spawner-killed', rounds: 10 }, async ({ uid }) => {
    process.kill(await spawnerOf(uid), 'SIGKILL');
  });
  expect(generations).toEqual([11, 11]);
});

test('the spawners of 4 agents are stopped: they do not answer, and the same', async () => {
  const generations = await endAgents({ name: 'spawner-stopped', rounds: 2 }, async ({ uid }) => {
    process.kill(await spawnerOf(uid), 'SIGSTOP');
  });
  expect(generations).toEqual([3, 3]);
});

test('20 agents are told to stop: the same', async () => {
  const generations = await endAgents({ name: 'stopped', rounds: 10 }, async ({ pid }) => {
    process.kill(pid, 'SIGTERM');
  });
  expect(generations).toEqual([11, 11]);
});

test('the Pods of 20 agents are deleted: the same', async () => {
  const generations = await endAgents({ name: 'deleted', rounds: 10 }, async ({ pod }) => {
    await kubectl('-n', 'kube-system', 'delete', 'pod', pod, '--wait=false');
  });
  expect(generations).toEqual([11, 11]);
});

test('the Pods of 20 agents are deleted by force, so that the next one runs beside it for a moment: the same', async () => {
  const generations = await endAgents({ name: 'forced', rounds: 10 }, async ({ pod }) => {
    await kubectl('-n', 'kube-system', 'delete', 'pod', pod, '--grace-period=0', '--force');
  });
  expect(generations).toEqual([11, 11]);
});

test('20 agents run out of memory: the kernel kills them, and the same', async () => {
  await using settings = await agentSettings();
  await settings.change();
  await limitMemory('150Mi');
  try {
    const generations = await endAgents({ name: 'out-of-memory', rounds: 10 }, async ({ pod }) => {
      // Each takes less than the agent: the kernel ends the largest.
      const eat = '{ head -c 10000000 /dev/zero; sleep 60; } | tail -c 10000000';
      const script = `for n in {1..30}; do ${eat} & done; wait`;
      await kubectl('-n', 'kube-system', 'exec', pod, '--', 'bash', '-c', script).catch(() => {});
    });
    expect(generations).toEqual([11, 11]);
    const reason = '{.items[*].status.containerStatuses[0].lastState.terminated.reason}';
    const all = ['get', 'pods', '-l', 'app=packet-capture', '-o', `jsonpath=${reason}`];
    const reasons = await kubectl('-n', 'kube-system', ...all);
    expect(reasons.split(' ')).toEqual(nodes.map(() => 'OOMKilled'));
  } finally {
    await limitMemory(null);
  }
});

test('20 agents are updated: podcap read has no datagram less and none twice', async () => {
  await using output = await temporaryFolder();
  await using settings = await agentSettings();
  await settings.change();
  const pods = await sendingPods('updated');
  for (let round = 0; round < 10; round += 1) await restartAgents();
  for (const pod of pods) {
    await until(async () => (await tcpdumpsOf(pod)).length === 1, {
      what: 'one tcpdump',
      deadlineMs: 30_000,
    });
    const path = join(output.path, `${pod.name}.pcap`);
    await writeFile(path, await readBack(pod));
    const numbers = await capturedNumbers(path);
    expect(numbers).toEqual(run(numbers[0] ?? Number.NaN, numbers.length));
  }
  for (const pod of pods) {
    const { missed } = totalsOf((await readRecords(pod.folder)).slice(1));
    const account = await endSending(cluster, pod);
    printFigures(pod.name, account);
    expect({ missing: account.missing, missed }).toEqual({ missing: 0, missed: 0 });
    expect(account.generations).toBeGreaterThanOrEqual(11);
  }
});

/** Ends the agents of both Nodes so many times, while a Pod on each sends. Gives back how many captures each had. */
async function endAgents(
  { name, rounds }: { readonly name: string; readonly rounds: number },
  end: (agent: AgentProcess) => Promise<void>,
): Promise<number[]> {
  const pods = await sendingPods(name);
  const resumedMs: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    resumedMs.push(...(await Promise.all(pods.map((pod) => endAgent(pod, end)))));
  }
  const accounts = await Promise.all(pods.map((pod) => endSending(cluster, pod)));
  printFigures(name, { mostMsFromStartToPacket: Math.max(...resumedMs), accounts });
  return accounts.map(({ generations }) => generations);
}

async function sendingPods(name: string): Promise<SendingPod[]> {
  return await Promise.all(
    nodes.map(({ name: node }) => sendingPod(cluster, { name: `${name}-${node}`, node })),
  );
}

/** Gives back how long after its start the next agent captured the first packet. */
async function endAgent(pod: SendingPod, end: (agent: AgentProcess) => Promise<void>): Promise<number> {
  const { node, folder } = pod;
  const [agent, tcpdumps, newest] = await Promise.all([
    agentProcess(cluster, node),
    tcpdumpsOf(pod),
    newestGeneration(folder),
  ]);
  await end(agent);
  await until(() => tcpdumps.every((pid) => !processId(pid)), {
    what: `the tcpdump of before on ${node} to be gone`,
    deadlineMs: 60_000,
  });
  const left = await digestsUpTo(folder, newest);
  const next = await agentProcess(cluster, node, agent);
  const agentMs = await startedMs(next.pid);
  await until(async () => (await lengthAfter(folder, newest)) > 20, {
    what: `datagrams of ${pod.name} in files of the next agent`,
    deadlineMs: 60_000,
  });
  expect(await digestsUpTo(folder, newest)).toEqual(left);
  expect(await tcpdumpsOf(pod)).toHaveLength(1);
  return Math.round(((await firstPacketAfter(folder, newest)) ?? Number.NaN) - agentMs);
}

async function spawnerOf(podUid: string): Promise<number> {
  const [pid] = await processesOf(podUid, spawnerProgram);
  if (pid === undefined) throw new Error(`no spawner in the Pod ${podUid}`);
  return pid;
}

async function limitMemory(memory: string | null): Promise<void> {
  const resources = { limits: { memory } };
  await patchAgents({ template: { spec: { containers: [{ name: 'agent', resources }] } } });
}
