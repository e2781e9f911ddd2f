import { setTimeout as sleep } from 'node:timers/promises';
import { agentProcess } from '../../end-to-end/support/agents.ts';
import { testCluster } from '../../end-to-end/support/test-cluster.ts';
import { cpuMs } from '../contenders/process-usage.ts';
import type { Figure, Measurement, MeasureOptions } from '../figure.ts';
import { idlePods } from '../support/idle-pods.ts';
import { rowOf } from '../support/row.ts';

/** The CPU that the agent takes while nothing happens on its Node. */
export const cpuIdle: Figure = {
  name: 'cpu-idle',
  unit: '% of a core',
  goal: 'none',
  runs: 5,
  needs: 'cluster',
  measure,
};

const node = 'node1';
const podCount = 110;
const seconds = 60;

async function measure({ runs, report }: MeasureOptions): Promise<Measurement> {
  await using cluster = await testCluster();
  await idlePods(cluster, { node, from: 0, to: podCount });
  report(`${podCount} Pods run on ${node}`);
  const { pid } = await agentProcess(cluster, node);
  const values: number[] = [];
  while (values.length < runs) {
    const before = await cpuMs([pid]);
    await sleep(seconds * 1_000);
    values.push(((await cpuMs([pid])) - before) / (10 * seconds));
    report(`minute ${values.length} of ${runs}: ${values.at(-1)?.toFixed(3)} %`);
  }
  return { isReached: true, rows: [rowOf('podcap', `${podCount} Pods, no capture`, values)] };
}
