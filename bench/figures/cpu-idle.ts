import { setTimeout as sleep } from 'node:timers/promises';
import { testCluster } from '../../end-to-end/support/test-cluster.ts';
import { cpuMs } from '../contenders/process-usage.ts';
import type { Figure, Measurement, Measuring } from '../figure.ts';
import { agentProcess } from '../support/deployed-agent.ts';
import { idlePods } from '../support/idle-pods.ts';
import { summary } from '../support/statistics.ts';

/** The share of a core that the agent takes while nothing happens on its Node. */
export const cpuIdle: Figure = {
  name: 'cpu-idle',
  unit: '% of a core',
  goal: 'none',
  runs: 5,
  needs: 'cluster',
  measure,
};

const node = 'node1';
const pods = 110;
const seconds = 60;

async function measure({ runs, say }: Measuring): Promise<Measurement> {
  await using cluster = await testCluster();
  await idlePods(cluster, { node, from: 0, to: pods });
  say(`${pods} Pods run on ${node}`);
  const pid = await agentProcess(node);
  const values: number[] = [];
  while (values.length < runs) {
    const before = await cpuMs([pid]);
    await sleep(seconds * 1_000);
    values.push(((await cpuMs([pid])) - before) / (10 * seconds));
    say(`minute ${values.length} of ${runs}: ${values.at(-1)?.toFixed(3)} %`);
  }
  const row = { variant: 'podcap', parameter: `${pods} Pods, no capture`, ...summary(values), values };
  return { isReached: true, rows: [row] };
}
