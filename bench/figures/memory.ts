import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { restartAgents } from '../../end-to-end/support/agent-daemonset.ts';
import { agentProcess } from '../../end-to-end/support/agents.ts';
import type { RunningPod } from '../../end-to-end/support/namespace-pods.ts';
import { type TestCluster, testCluster } from '../../end-to-end/support/test-cluster.ts';
import { withDescendants } from '../../src/testbed/descendants.ts';
import { memoryMegabytes } from '../contenders/process-usage.ts';
import type { Figure, Measurement, MeasureOptions, Row } from '../figure.ts';
import { idlePods } from '../support/idle-pods.ts';
import { rowOf } from '../support/row.ts';
import { median } from '../support/statistics.ts';

/** The anonymous memory of the agent's processes, without what they map from files; and what each capture adds. */
export const memory: Figure = {
  name: 'memory',
  unit: 'MB of RssAnon',
  goal: '<= 30 with 110 Pods and no capture, <= 3 per capture',
  runs: 10,
  needs: 'cluster',
  measure,
};

const node = 'node1';
/** The Nodes of the cluster allow 250 Pods, the system's own included. */
const podCounts = [10, 110, 240];
const captureCounts = [10, 100];
/** The goal without captures holds at this number of Pods. */
const goalPodCount = 110;
const maxIdleMegabytes = 30;
const maxMegabytesPerCapture = 3;

async function measure({ runs, report }: MeasureOptions): Promise<Measurement> {
  // An agent that has had many captures takes more memory than a new one.
  await restartAgents();
  await using cluster = await testCluster();
  const { pid } = await agentProcess(cluster, node);
  const pods: RunningPod[] = [];
  const idle: Row[] = [];
  for (const count of podCounts) {
    pods.push(...(await idlePods(cluster, { node, from: pods.length, to: count })));
    report(`${count} Pods run on ${node}`);
    idle.push(rowOfSamples(`${count} Pods, no capture`, await sample(pid, runs)));
  }
  const capturing: Row[] = [];
  let started = 0;
  for (const count of captureCounts) {
    await startCaptures(cluster, pods.slice(started, count));
    started = count;
    report(`${count} of them are captured`);
    capturing.push(rowOfSamples(`${pods.length} Pods, ${count} captures`, await sample(pid, runs)));
  }
  const without = median(idle.at(-1)?.values ?? []);
  const perCapture = await captureRow(pid, { without, capturing: capturing.at(-1), captures: started });
  const maxIdle = idle[podCounts.indexOf(goalPodCount)]?.max ?? Number.NaN;
  return {
    isReached: maxIdle <= maxIdleMegabytes && perCapture.max <= maxMegabytesPerCapture,
    rows: [...idle, ...capturing, perCapture],
  };
}

async function startCaptures(cluster: TestCluster, pods: readonly RunningPod[]): Promise<void> {
  await Promise.all(pods.map(({ name }) => cluster.annotate(name, '1')));
  for (const { uid } of pods) await cluster.event(uid, 'CaptureStarted');
}

/** In MB. */
type MemorySample = { readonly anonymous: number; readonly resident: number };

/** Samples the agent and podcap-spawner once a second: garbage collection changes their memory all the time. */
async function sample(agentPid: number, runs: number): Promise<MemorySample[]> {
  const { agent } = await agentProcesses(agentPid);
  const sumOf = async (field: Parameters<typeof memoryMegabytes>[1]) => {
    const megabytes = await Promise.all(agent.map((pid) => memoryMegabytes(pid, field)));
    return megabytes.reduce((sum, each) => sum + each, 0);
  };
  const samples: MemorySample[] = [];
  while (samples.length < runs) {
    await sleep(1_000);
    samples.push({ anonymous: await sumOf('RssAnon'), resident: await sumOf('VmRSS') });
  }
  return samples;
}

function rowOfSamples(parameter: string, samples: readonly MemorySample[]): Row {
  const resident = samples.map(({ resident: megabytes }) => megabytes);
  return {
    ...rowOf(
      'podcap',
      parameter,
      samples.map(({ anonymous }) => anonymous),
    ),
    remark: `RSS ${median(resident).toFixed(1)} MB`,
    details: { rss: resident },
  };
}

/** The PIDs of the agent itself with podcap-spawner, and those of its tcpdumps. */
async function agentProcesses(
  agentPid: number,
): Promise<{ readonly agent: number[]; readonly tcpdumps: number[] }> {
  const all = await withDescendants(agentPid);
  const names = await Promise.all(all.map((pid) => readFile(`/proc/${pid}/comm`, 'utf8')));
  const isTcpdump = all.map((_pid, index) => names[index]?.trim() === 'tcpdump');
  return {
    agent: all.filter((_pid, index) => !isTcpdump[index]),
    tcpdumps: all.filter((_pid, index) => isTcpdump[index]),
  };
}

/** The memory of each tcpdump, with its share of what the agent takes more than without captures. */
async function captureRow(
  agentPid: number,
  {
    without,
    capturing,
    captures,
  }: { readonly without: number; readonly capturing: Row | undefined; readonly captures: number },
): Promise<Row> {
  const { tcpdumps } = await agentProcesses(agentPid);
  if (!capturing || tcpdumps.length !== captures)
    throw new Error(`${tcpdumps.length} tcpdumps run, not ${captures}`);
  const share = (capturing.median - without) / captures;
  const own = await Promise.all(tcpdumps.map((pid) => memoryMegabytes(pid, 'RssAnon')));
  const values = own.map((megabytes) => megabytes + share);
  return {
    ...rowOf('podcap', 'per capture', values),
    remark: `${share.toFixed(2)} of it in the agent; the receive ring is not included`,
    details: { inAgent: share, captures },
  };
}
