import { setTimeout as sleep } from 'node:timers/promises';
import { kubectl } from '../../end-to-end/support/run-kubectl.ts';
import { until } from '../../src/base/until.ts';
import { kubernetesClient } from '../../src/kubernetes/client.ts';
import { kubeconfigConfig } from '../../src/kubernetes/client-config.ts';
import type { Figure, Measurement, MeasureOptions } from '../figure.ts';
import { apiServerProcess, podListsFromEtcd } from './api-server-load.ts';
import { type Fleet, makeFleet } from './fleet.ts';
import { type Cost, repeat, row, type ScaleSetup, scaled } from './measured-costs.ts';
import { measurePolicyCosts, type PolicyCosts, policyRows } from './policy-costs.ts';
import { startWatchers } from './watchers.ts';

/** What the agents of a large cluster cost its API server. */
export const scale: Figure = {
  name: 'scale',
  unit: 'named in each parameter',
  goal: 'a change of a Pod reaches only the watch of its Node, one of a policy every agent once, and 200 agents that start at once make the API server list no Pod from etcd',
  runs: 10,
  needs: 'cluster',
  measure,
};

const size = { nodes: 500, podsPerNode: 20, policies: 200 };
const watchedNodes = 200;
const changesPerRun = 200;
const minuteMs = 60_000;

async function measure({ runs, report }: MeasureOptions): Promise<Measurement> {
  const config = kubeconfigConfig(await kubectl('config', 'view', '--raw', '--flatten', '-o', 'json'));
  await using client = kubernetesClient(config);
  await using fleet = await makeFleet(client, size);
  report(`${size.nodes} Nodes with ${size.podsPerNode} Pods each`);
  await using watchers = await startWatchers(config, fleet.nodes.slice(0, watchedNodes));
  // By then the controllers have processed the Nodes and Pods.
  await sleep(2 * minuteMs);
  const apiServer = await apiServerProcess();
  return measurementOf(await measureCosts({ fleet, watchers, apiServer, runs, report }));
}

type ScaleCosts = {
  readonly idleWithoutWatches: readonly Cost[];
  readonly changesWithoutWatches: readonly Cost[];
  readonly starts: readonly Cost[];
  /** Lists of Pods from etcd during all starts together. */
  readonly listsFromEtcd: number;
  readonly idle: readonly Cost[];
  readonly changes: readonly Cost[];
  /** Whether each change reached exactly one watch. */
  readonly areChangesSeenOnce: boolean;
  readonly policies: PolicyCosts;
};

async function measureCosts(setup: ScaleSetup): Promise<ScaleCosts> {
  const { fleet, watchers, runs } = setup;
  const idleWithoutWatches = await repeat(setup, {
    name: 'idle without watches',
    run: () => sleep(minuteMs),
  });
  const changesWithoutWatches = await repeat(setup, {
    name: 'changes without watches',
    run: () => changePods(fleet),
  });
  const listsBefore = await podListsFromEtcd();
  const starts = await repeat(setup, { name: 'starts', run: watchers.start, afterwards: watchers.stop });
  const listsFromEtcd = (await podListsFromEtcd()) - listsBefore;
  await watchers.start();
  const idle = await repeat(setup, { name: 'idle with watches', run: () => sleep(minuteMs) });
  const changesBefore = await watchers.changes();
  const changes = await repeat(setup, { name: 'changes with watches', run: () => changePodsAndWait(setup) });
  const areChangesSeenOnce = (await watchers.changes()) - changesBefore === runs * changesPerRun;
  await watchers.stop();
  return {
    idleWithoutWatches,
    changesWithoutWatches,
    starts,
    listsFromEtcd,
    idle,
    changes,
    areChangesSeenOnce,
    policies: await measurePolicyCosts(setup, watchedNodes),
  };
}

/** One Pod on each watched Node, one Node after the other. */
async function changePods(fleet: Fleet): Promise<void> {
  for (let i = 0; i < changesPerRun; i += 1) await fleet.changePod(i % watchedNodes, i % size.podsPerNode);
}

async function changePodsAndWait({ fleet, watchers }: ScaleSetup): Promise<void> {
  const before = await watchers.changes();
  await changePods(fleet);
  const haveArrived = async () => (await watchers.changes()) - before >= changesPerRun;
  await until(haveArrived, { what: 'the changes on the watches' });
}

function measurementOf(costs: ScaleCosts): Measurement {
  const { idleWithoutWatches, changesWithoutWatches, starts, listsFromEtcd, idle, changes } = costs;
  const perChange = 1 / changesPerRun;
  const perHour = 3_600_000 / minuteMs;
  const startsAtOnce = `${watchedNodes} starts at once`;
  return {
    isReached: costs.areChangesSeenOnce && costs.policies.areChangesSeenByAll && listsFromEtcd === 0,
    rows: [
      row('one Pod change: bytes, over all watches', scaled(changes, 'bytes', perChange)),
      row('one Pod change: ms of API server CPU', scaled(changes, 'cpuMs', perChange)),
      row(
        'one Pod change, no watch: ms of API server CPU',
        scaled(changesWithoutWatches, 'cpuMs', perChange),
      ),
      {
        ...row(`${startsAtOnce}: ms until the last one has its list`, scaled(starts, 'ms')),
        remark: `${listsFromEtcd} lists from etcd`,
      },
      row(`${startsAtOnce}: bytes`, scaled(starts, 'bytes')),
      row(`${startsAtOnce}: ms of API server CPU`, scaled(starts, 'cpuMs')),
      row('an idle hour: bytes', scaled(idle, 'bytes', perHour)),
      row('an idle hour: ms of API server CPU', scaled(idle, 'cpuMs', perHour)),
      row('an idle hour, no watch: ms of API server CPU', scaled(idleWithoutWatches, 'cpuMs', perHour)),
      ...policyRows(costs.policies, {
        watches: watchedNodes,
        policies: size.policies,
        background: idleWithoutWatches,
      }),
    ],
  };
}
