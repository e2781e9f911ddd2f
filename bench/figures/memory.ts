import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { restartAgents } from '../../end-to-end/support/agent-daemonset.ts';
import { type RunningPod, type TestCluster, testCluster } from '../../end-to-end/support/test-cluster.ts';
import { withDescendants } from '../../src/testbed/descendants.ts';
import { memoryMegabytes } from '../contenders/process-usage.ts';
import type { Figure, Measurement, Measuring, Row } from '../figure.ts';
import { agentProcess } from '../support/deployed-agent.ts';
import { idlePods } from '../support/idle-pods.ts';
import { median, summary } from '../support/statistics.ts';

/** What the agent's process holds in anonymous memory, beside what it maps from files; and what a capture adds. */
export const memory: Figure = {
  name: 'memory',
  unit: 'MB of RssAnon',
  goal: '<= 30 with 110 Pods and no capture, <= 3 for each capture',
  runs: 10,
  needs: 'cluster',
  measure,
};

const node = 'node1';
/** The Nodes of the cluster allow 250, with those of the system. */
const podCounts = [10, 110, 240];
const captureCounts = [10, 100];
const atPods = 110;
const mostIdle = 30;
const mostPerCapture = 3;

async function measure({ runs, say }: Measuring): Promise<Measurement> {
  // An agent that has had many captures holds more than one that has not.
  await restartAgents();
  await using cluster = await testCluster();
  const pods: RunningPod[] = [];
  const idle: Row[] = [];
  for (const count of podCounts) {
    pods.push(...(await idlePods(cluster, { node, from: pods.length, to: count })));
    say(`${count} Pods run on ${node}`);
    idle.push(rowOf(`${count} Pods, no capture`, await sample(runs)));
  }
  const capturing: Row[] = [];
  let started = 0;
  for (const count of captureCounts) {
    await startCaptures(cluster, pods.slice(started, count));
    started = count;
    say(`${count} of them are captured`);
    capturing.push(rowOf(`${pods.length} Pods, ${count} captures`, await sample(runs)));
  }
  const perCapture = await captureRow(median(idle.at(-1)?.values ?? []), capturing.at(-1), started);
  const most = idle[podCounts.indexOf(atPods)]?.max ?? Number.NaN;
  return {
    isReached: most <= mostIdle && perCapture.max <= mostPerCapture,
    rows: [...idle, ...capturing, perCapture],
  };
}

async function startCaptures(cluster: TestCluster, pods: readonly RunningPod[]): Promise<void> {
  await Promise.all(pods.map(({ name }) => cluster.annotate(name, '1')));
  for (const { uid } of pods) await cluster.event(uid, 'CaptureStarted');
}

type MemorySample = { readonly anonymous: number; readonly resident: number };

/** Of the agent and of podcap-spawner, one a second: the memory breathes with garbage collection. */
async function sample(runs: number): Promise<MemorySample[]> {
  const { agent } = await agentProcesses();
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

function rowOf(parameter: string, samples: readonly MemorySample[]): Row {
  const values = samples.map(({ anonymous }) => anonymous);
  const resident = samples.map(({ resident: megabytes }) => megabytes);
  return {
    variant: 'podcap',
    parameter,
    ...summary(values),
    values,
    remark: `RSS ${median(resident).toFixed(1)} MB`,
    details: { rss: resident },
  };
}

/** Those that it needs in any case, and those that capture. */
async function agentProcesses(): Promise<{ readonly agent: number[]; readonly tcpdumps: number[] }> {
  const all = await withDescendants(await agentProcess(node));
  const names = await Promise.all(all.map((pid) => readFile(`/proc/${pid}/comm`, 'utf8')));
  const isTcpdump = all.map((_pid, index) => names[index]?.trim() === 'tcpdump');
  return {
    agent: all.filter((_pid, index) => !isTcpdump[index]),
    tcpdumps: all.filter((_pid, index) => isTcpdump[index]),
  };
}

/** Each capture's own process, with its share of what the agent holds more than without captures. */
async function captureRow(without: number, capturing: Row | undefined, captures: number): Promise<Row> {
  const { tcpdumps } = await agentProcesses();
  if (!capturing || tcpdumps.length !== captures) throw new Error(`${tcpdumps.length} processes capture`);
  const share = (capturing.median - without) / captures;
  const own = await Promise.all(tcpdumps.map((pid) => memoryMegabytes(pid, 'RssAnon')));
  const values = own.map((megabytes) => megabytes + share);
  return {
    variant: 'podcap',
    parameter: 'each capture',
    ...summary(values),
    values,
    remark: `${share.toFixed(2)} of it in the agent; its receive ring is beside it`,
    details: { inAgent: share, captures },
  };
}
