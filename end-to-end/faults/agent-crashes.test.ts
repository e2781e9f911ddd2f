import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { nodes } from '../../cluster/layout.ts';
import { processId } from '../../cluster/process-id.ts';
import { readRecords, totalsOf } from '../../src/agent/storage/capture-records.ts';
import { until } from '../../src/base/until.ts';
import { capturedNumbers } from '../../src/pcap/testing/captured-numbers.ts';
import { temporaryFolder } from '../../src/testbed/temporary-folder.ts';
import { agentSettings, patchAgents, restartAgents } from '../support/agent-daemonset.ts';
import { type AgentProcess, agentProcess } from '../support/agents.ts';
import { test } from '../support/cluster-test.ts';
import { expectConsecutive } from '../support/consecutive.ts';
import { deleteAndCount } from '../support/datagram-counts.ts';
import { processesOf, spawnerProgram, tcpdumpsOf, waitForTcpdumps } from '../support/pod-processes.ts';
import { printFigures } from '../support/print-figures.ts';
import { processStartMs } from '../support/process-resources.ts';
import { readBack } from '../support/read-back.ts';
import {
  digestsUpTo,
  firstPacketMsAfter,
  newestGeneration,
  waitForDatagrams,
} from '../support/ring-contents.ts';
import { kubectl } from '../support/run-kubectl.ts';
import { type SendingPod, sendingPods } from '../support/sending-pod.ts';
import type { TestCluster } from '../support/test-cluster.ts';

/** What happens to the agents of both Nodes at once, so in each round to two agents. */
type AgentFault = {
  readonly name: string;
  /** What happens to how many agents. */
  readonly what: string;
  readonly rounds: number;
  readonly strike: (agent: AgentProcess) => Promise<void>;
};

const faults: readonly AgentFault[] = [
  {
    name: 'killed',
    what: '20 agents are killed',
    rounds: 10,
    strike: async ({ pid }) => void process.kill(pid, 'SIGKILL'),
  },
  {
    name: 'spawner-killed',
    what: 'the spawners of 20 agents are killed',
    rounds: 10,
    strike: async ({ uid }) => void process.kill(await spawnerOf(uid), 'SIGKILL'),
  },
  {
    name: 'spawner-stopped',
    what: 'the spawners of 4 agents are stopped and do not answer',
    rounds: 2,
    strike: async ({ uid }) => void process.kill(await spawnerOf(uid), 'SIGSTOP'),
  },
  {
    name: 'stopped',
    what: '20 agents get SIGTERM',
    rounds: 10,
    strike: async ({ pid }) => void process.kill(pid, 'SIGTERM'),
  },
  {
    name: 'deleted',
    what: 'the Pods of 20 agents are deleted',
    rounds: 10,
    strike: ({ pod }) => deleteAgentPod(pod, '--wait=false'),
  },
  {
    name: 'forced',
    what: 'the Pods of 20 agents are force-deleted, so that two agents run for a moment',
    rounds: 10,
    strike: ({ pod }) => deleteAgentPod(pod, '--grace-period=0', '--force'),
  },
];

test.for(faults.map((fault) => [fault.what, fault] as const))(
  'when %s, the next agents capture within seconds, in new files, and count every gap',
  async ([_what, fault], { cluster }) => {
    const generations = await strikeAgents(cluster, fault);
    const expected = fault.rounds + 1;
    expect(generations).toEqual([expected, expected]);
  },
);

test('when the kernel kills 20 agents that run out of memory, the same holds', async ({ cluster }) => {
  await using settings = await agentSettings();
  await settings.change();
  await limitMemory('150Mi');
  try {
    const generations = await strikeAgents(cluster, {
      name: 'out-of-memory',
      rounds: 10,
      strike: async ({ pod }) => {
        // Each process takes less than the agent: the kernel kills the largest.
        const eat = '{ head -c 10000000 /dev/zero; sleep 60; } | tail -c 10000000';
        const script = `for n in {1..30}; do ${eat} & done; wait`;
        await kubectl('-n', 'kube-system', 'exec', pod, '--', 'bash', '-c', script).catch(() => {});
      },
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

test('podcap read has every datagram once after 20 agents are updated', async ({ cluster }) => {
  await using output = await temporaryFolder();
  await using settings = await agentSettings();
  await settings.change();
  const pods = await sendingPods(cluster, { name: 'updated' });
  for (let round = 0; round < 10; round += 1) await restartAgents();
  for (const pod of pods) {
    await waitForTcpdumps([pod], { deadlineMs: 30_000 });
    const path = join(output.path, `${pod.name}.pcap`);
    await writeFile(path, await readBack(pod));
    expectConsecutive(await capturedNumbers(path));
  }
  for (const pod of pods) {
    const { missed } = totalsOf((await readRecords(pod.folder)).slice(1));
    const counts = await deleteAndCount(cluster, pod);
    printFigures(pod.name, counts);
    expect({ missing: counts.missing, missed }).toEqual({ missing: 0, missed: 0 });
    expect(counts.generations).toBeGreaterThanOrEqual(11);
  }
});

/** Strikes the agents of both Nodes, while a Pod on each sends. Returns how many captures each of these Pods had. */
async function strikeAgents(
  cluster: TestCluster,
  { name, rounds, strike }: Omit<AgentFault, 'what'>,
): Promise<number[]> {
  const pods = await sendingPods(cluster, { name });
  const resumedMs: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    resumedMs.push(...(await Promise.all(pods.map((pod) => strikeAgentOf(cluster, pod, strike)))));
  }
  const counts = await Promise.all(pods.map((pod) => deleteAndCount(cluster, pod)));
  printFigures(name, { mostMsFromStartToPacket: Math.max(...resumedMs), counts });
  return counts.map(({ generations }) => generations);
}

/** Returns how many milliseconds after its start the next agent captured the first packet. */
async function strikeAgentOf(
  cluster: TestCluster,
  pod: SendingPod,
  strike: AgentFault['strike'],
): Promise<number> {
  const { node, folder } = pod;
  const [agent, tcpdumps, newest] = await Promise.all([
    agentProcess(cluster, node),
    tcpdumpsOf(pod),
    newestGeneration(folder),
  ]);
  await strike(agent);
  await until(() => tcpdumps.every((pid) => !processId(pid)), {
    what: `the previous tcpdump on ${node} to be gone`,
    deadlineMs: 60_000,
  });
  const left = await digestsUpTo(folder, newest);
  const next = await agentProcess(cluster, node, agent);
  const agentMs = await processStartMs(next.pid);
  await waitForDatagrams(folder, 20, { after: newest, deadlineMs: 60_000 });
  expect(await digestsUpTo(folder, newest)).toEqual(left);
  expect(await tcpdumpsOf(pod)).toHaveLength(1);
  return Math.round(((await firstPacketMsAfter(folder, newest)) ?? Number.NaN) - agentMs);
}

async function spawnerOf(podUid: string): Promise<number> {
  const [pid] = await processesOf(podUid, spawnerProgram);
  if (pid === undefined) throw new Error(`no spawner in the Pod ${podUid}`);
  return pid;
}

async function deleteAgentPod(pod: string, ...options: readonly string[]): Promise<void> {
  await kubectl('-n', 'kube-system', 'delete', 'pod', pod, ...options);
}

/** Null removes the limit. */
async function limitMemory(memory: string | null): Promise<void> {
  const resources = { limits: { memory } };
  await patchAgents({ template: { spec: { containers: [{ name: 'agent', resources }] } } });
}
