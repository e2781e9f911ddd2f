import { setTimeout as sleep } from 'node:timers/promises';
import { kubectl } from '../../end-to-end/support/test-cluster.ts';
import { kubernetesClient } from '../../src/kubernetes/client.ts';
import { kubeconfigConfig } from '../../src/kubernetes/client-config.ts';
import { until } from '../../src/testbed/until.ts';
import { cpuMs } from '../contenders/process-usage.ts';
import type { Figure, Measurement, Measuring, Row } from '../figure.ts';
import { summary } from '../support/statistics.ts';
import { apiServerProcess, podListsFromEtcd } from './api-server-load.ts';
import { type Fleet, makeFleet } from './fleet.ts';
import { startWatchers, type Watchers } from './watchers.ts';

/** What the agents of a large cluster cost its API server. */
export const scale: Figure = {
  name: 'scale',
  unit: 'each parameter says its own',
  goal: 'a change comes to its own Node alone, and 200 agents that start at once make the API server read no Pod from etcd',
  runs: 10,
  needs: 'cluster',
  measure,
};

const size = { nodes: 500, podsPerNode: 20 };
const watched = 200;
const changesPerRun = 200;
const minuteMs = 60_000;

async function measure({ runs, say }: Measuring): Promise<Measurement> {
  const config = kubeconfigConfig(await kubectl('config', 'view', '--raw', '--flatten', '-o', 'json'));
  await using client = kubernetesClient(config);
  await using fleet = await makeFleet(client, size);
  say(`${size.nodes} Nodes with ${size.podsPerNode} Pods each`);
  await using watchers = await startWatchers(config, fleet.nodes.slice(0, watched));
  // The controllers have seen the Nodes and Pods by then.
  await sleep(2 * minuteMs);
  return measurementOf(await seeAll({ fleet, watchers, server: await apiServerProcess(), runs, say }));
}

type ScaleScene = Measuring & {
  readonly fleet: Fleet;
  readonly watchers: Watchers;
  /** The API server's process. */
  readonly server: number;
};

/** What a piece of work took: of the API server, and over the connections of the watches. */
type Cost = { readonly cpuMs: number; readonly bytes: number; readonly ms: number };

type Seen = {
  readonly idleAlone: readonly Cost[];
  readonly changesAlone: readonly Cost[];
  readonly starts: readonly Cost[];
  /** From etcd, by all starts together. */
  readonly listsOfStarts: number;
  readonly idle: readonly Cost[];
  readonly changes: readonly Cost[];
  /** Whether each change came to one watch, and one alone. */
  readonly isTold: boolean;
};

async function seeAll(scene: ScaleScene): Promise<Seen> {
  const { fleet, watchers, runs } = scene;
  const idleAlone = await repeated(scene, 'idle without watches', () => sleep(minuteMs));
  const changesAlone = await repeated(scene, 'changes without watches', () => change(fleet));
  const listsBefore = await podListsFromEtcd();
  const starts = await repeated(
    scene,
    'starts',
    () => watchers.start(),
    () => watchers.stop(),
  );
  const listsOfStarts = (await podListsFromEtcd()) - listsBefore;
  await watchers.start();
  const idle = await repeated(scene, 'idle with watches', () => sleep(minuteMs));
  const told = await watchers.changes();
  const changes = await repeated(scene, 'changes with watches', () => changeAndHear(scene));
  const isTold = (await watchers.changes()) - told === runs * changesPerRun;
  return { idleAlone, changesAlone, starts, listsOfStarts, idle, changes, isTold };
}

async function repeated(
  { watchers, server, runs, say }: ScaleScene,
  what: string,
  work: () => Promise<void>,
  after?: () => Promise<void>,
): Promise<Cost[]> {
  const costs: Cost[] = [];
  while (costs.length < runs) {
    const [cpu, bytes, begin] = [await cpuMs([server]), await watchers.receivedBytes(), performance.now()];
    await work();
    costs.push({
      ms: performance.now() - begin,
      bytes: (await watchers.receivedBytes()) - bytes,
      cpuMs: (await cpuMs([server])) - cpu,
    });
    await after?.();
  }
  say(what);
  return costs;
}

/** One Pod of each watched Node in turn. */
async function change(fleet: Fleet): Promise<void> {
  for (let i = 0; i < changesPerRun; i += 1) await fleet.change(i % watched, i % size.podsPerNode);
}

async function changeAndHear({ fleet, watchers }: ScaleScene): Promise<void> {
  const before = await watchers.changes();
  await change(fleet);
  const areHeard = async () => (await watchers.changes()) - before >= changesPerRun;
  await until(areHeard, { what: 'the changes to be heard' });
}

function measurementOf(seen: Seen): Measurement {
  const { idleAlone, changesAlone, starts, listsOfStarts, idle, changes, isTold } = seen;
  const perChange = 1 / changesPerRun;
  const perHour = 3_600_000 / minuteMs;
  const atOnce = `${watched} starts at once`;
  return {
    isReached: isTold && listsOfStarts === 0,
    rows: [
      rowOf('a Pod change: bytes, all watches together', changes, 'bytes', perChange),
      rowOf('a Pod change: ms of API server CPU', changes, 'cpuMs', perChange),
      rowOf('a Pod change, no watch: ms of API server CPU', changesAlone, 'cpuMs', perChange),
      {
        ...rowOf(`${atOnce}: ms until the last has its list`, starts, 'ms'),
        remark: `${listsOfStarts} lists from etcd`,
      },
      rowOf(`${atOnce}: bytes`, starts, 'bytes'),
      rowOf(`${atOnce}: ms of API server CPU`, starts, 'cpuMs'),
      rowOf('an idle hour: bytes', idle, 'bytes', perHour),
      rowOf('an idle hour: ms of API server CPU', idle, 'cpuMs', perHour),
      rowOf('an idle hour, no watch: ms of API server CPU', idleAlone, 'cpuMs', perHour),
    ],
  };
}

function rowOf(parameter: string, costs: readonly Cost[], what: keyof Cost, factor = 1): Row {
  const values = costs.map((cost) => cost[what] * factor);
  return { variant: 'podcap', parameter, ...summary(values), values };
}
