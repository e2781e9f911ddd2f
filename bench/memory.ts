import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { agentOn, kubectl, type TestCluster, testCluster } from '../test/support/cluster.ts';
import { idle } from '../test/support/pods.ts';
import { processesOf } from '../test/support/processes.ts';
import type { Figure, Measurement, Measuring, Row } from './figure.ts';
import { summary } from './statistics.ts';

/** What the agent's process holds in anonymous memory, beside what it maps from files. */
export const memory: Figure = {
  name: 'memory',
  unit: 'MB of RssAnon',
  goal: '<= 30 with 110 Pods and no capture, <= 35 with 10 captures',
  runs: 10,
  measure,
};

const node = 'node1';
const pods = 110;
const captures = 10;
const mostIdle = 30;
const mostCapturing = 35;

async function measure({ runs, say }: Measuring): Promise<Measurement> {
  await using cluster = await testCluster();
  const names = Array.from({ length: pods }, (_, i) => `idle-${i}`);
  await Promise.all(names.map((name) => cluster.create(idle({ name, node }))));
  for (const name of names) await cluster.running(name);
  say(`${pods} Pods run on ${node}`);
  const without = await rowOf(runs, `${pods} Pods, no capture`);
  await startCaptures(cluster, names.slice(0, captures));
  say(`${captures} of them are captured`);
  const capturing = await rowOf(runs, `${pods} Pods, ${captures} captures`);
  return {
    isReached: without.max <= mostIdle && capturing.max <= mostCapturing,
    rows: [without, capturing],
  };
}

async function startCaptures(cluster: TestCluster, names: readonly string[]): Promise<void> {
  for (const name of names) {
    await cluster.annotate(name, '1');
    const { uid } = await cluster.running(name);
    await cluster.event(uid, 'CaptureStarted');
  }
}

/** A sample a second: the memory breathes with garbage collection. */
async function rowOf(runs: number, parameter: string): Promise<Row> {
  const pid = await agentProcess();
  const values: number[] = [];
  const resident: number[] = [];
  for (let run = 0; run < runs; run += 1) {
    await sleep(1_000);
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    values.push(megabytes(status, 'RssAnon'));
    resident.push(megabytes(status, 'VmRSS'));
  }
  const rss = summary(resident);
  return {
    variant: 'podcap',
    parameter,
    ...summary(values),
    values,
    remark: `RSS ${rss.median.toFixed(1)} MB`,
    details: { rss: resident },
  };
}

async function agentProcess(): Promise<number> {
  const agent = await agentOn(node);
  const uid = await kubectl('-n', 'kube-system', 'get', 'pod', agent, '-o', 'jsonpath={.metadata.uid}');
  const [pid] = await processesOf(uid, 'node');
  if (pid === undefined) throw new Error(`${agent} has no process node`);
  return pid;
}

function megabytes(status: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) / 1_000;
}
