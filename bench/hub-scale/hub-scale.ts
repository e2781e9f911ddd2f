import { setTimeout as sleep } from 'node:timers/promises';
import type { CapturePhase } from '../../src/api/capture.ts';
import { until } from '../../src/base/until.ts';
import { cpuMs, memoryMegabytes } from '../contenders/process-usage.ts';
import type { Figure, Measurement, MeasureOptions, Row } from '../figure.ts';
import { rowOf } from '../support/row.ts';
import { percentile } from '../support/statistics.ts';
import { type BenchHub, startBenchHub } from './bench-hub.ts';
import { type FrontProxy, frontProxy, tableMediaType } from './front-proxy.ts';
import { listWithKubectl } from './list-with-kubectl.ts';
import { type SimulatedAgents, startSimulatedAgents } from './simulated-agents.ts';
import { nameOf } from './simulated-recordings.ts';
import { type ManyWatches, watchMany } from './watch-many.ts';

/** What one replica of the hub takes and how fast it answers, with the agents of a large cluster. */
export const hubScale: Figure = {
  name: 'hub-scale',
  unit: 'named in each parameter',
  goal: 'with 1,000 agents and 10,000 captures: RssAnon <= 250 MB, kubectl get captures -A <= 1.5 s (median), idle CPU <= 5 % of a core (median), a changed state on 50 watches within 1 s (each)',
  runs: 3,
  needs: 'hub',
  measure,
};

const agents = 1_000;
const recordingsPerAgent = 10;
const watches = 50;
const goals = { megabytes: 250, listMs: 1_500, idlePercent: 5, changeMs: 1_000 } as const;
/** Fewer agents, for what an agent adds. */
const fewAgents = 100;
const idleMs = 60_000;
const changes = 100;

async function measure(options: MeasureOptions): Promise<Measurement> {
  const few = await measureHub(fewAgents, options);
  const many = await measureHub(agents, options);
  const memory = many.megabytes.max;
  return {
    isReached:
      memory <= goals.megabytes &&
      many.kubectl.median <= goals.listMs &&
      many.idle.median <= goals.idlePercent &&
      many.changed.max <= goals.changeMs,
    rows: [...Object.values(few), ...Object.values(many)],
  };
}

type HubRows = {
  readonly connected: Row;
  readonly idle: Row;
  readonly list: Row;
  readonly kubectl: Row;
  readonly watched: Row;
  readonly changed: Row;
  readonly megabytes: Row;
};

/** Measures a new hub with that many agents. */
async function measureHub(count: number, { runs, report }: MeasureOptions): Promise<HubRows> {
  await using hub = await startBenchHub({ agents: count });
  await using fleet = startSimulatedAgents(hub.link, { agents: count, recordings: recordingsPerAgent });
  await using proxy = await frontProxy(hub.api);
  const by = (what: string) => `${count} agents, ${count * recordingsPerAgent} captures: ${what}`;
  const row = (what: string, values: readonly number[]) => rowOf('hub', by(what), values);

  const connected = row('ms until all are connected and listed', [await connectAll(proxy, fleet, count)]);
  report(connected.parameter);
  const idle = row('% of a core, idle', await repeated(runs, () => idlePercent(hub)));
  report(idle.parameter);
  const list = row('ms for a list as a Table', await repeated(runs, () => listMs(proxy)));
  const kubectl = row('ms for kubectl get captures -A', await repeated(runs, () => kubectlMs(proxy)));
  report(kubectl.parameter);
  await using many = await watchMany(proxy, watches);
  const watched = row(
    `% of a core, idle with ${watches} watches`,
    await repeated(runs, () => idlePercent(hub)),
  );
  report(watched.parameter);
  const delays = await changeMany({ fleet, many, count });
  const changed = {
    ...row(`ms until ${watches} watches have a changed state`, delays),
    p90: percentile(delays, 90),
  };
  report(changed.parameter);
  const megabytes = row('MB of RssAnon', await memorySamples(hub, proxy, runs));
  return { connected, idle, list, kubectl, watched, changed, megabytes };
}

/** Returns how long it took until a list has the captures of all agents. */
async function connectAll(proxy: FrontProxy, fleet: SimulatedAgents, count: number): Promise<number> {
  const startMs = performance.now();
  await fleet.connect();
  const wanted = count * recordingsPerAgent;
  await until(async () => (await listedCaptures(proxy)) === wanted, {
    what: `${wanted} captures in a list`,
    deadlineMs: 120_000,
    everyMs: 500,
  });
  return performance.now() - startMs;
}

const path = '/apis/podcap.dev/v1alpha1/captures';

async function listedCaptures(proxy: FrontProxy): Promise<number> {
  const body = (await proxy.get(path, 'application/json')).toString('utf8');
  return body.split('"phaseSince"').length - 1;
}

/** By then, counters are asked for again: those of a list count as fresh for a second. */
const staleMs = 2_000;

async function listMs(proxy: FrontProxy): Promise<number> {
  await sleep(staleMs);
  const startMs = performance.now();
  await proxy.get(path, tableMediaType);
  return performance.now() - startMs;
}

async function kubectlMs(proxy: FrontProxy): Promise<number> {
  await sleep(staleMs);
  return await listWithKubectl(proxy);
}

async function idlePercent({ pid }: BenchHub): Promise<number> {
  const before = await cpuMs([pid]);
  await sleep(idleMs);
  return ((await cpuMs([pid])) - before) / (idleMs / 100);
}

/** How long each of many changes took to reach the last watch. */
async function changeMany({
  fleet,
  many,
  count,
}: {
  readonly fleet: SimulatedAgents;
  readonly many: ManyWatches;
  readonly count: number;
}): Promise<number[]> {
  const delays: number[] = [];
  while (delays.length < changes) {
    const [node, recording] = [delays.length % count, delays.length % recordingsPerAgent];
    const phase: CapturePhase =
      delays.length % (2 * recordingsPerAgent) < recordingsPerAgent ? 'Paused' : 'Ended';
    const sentMs = await fleet.change({ node, recording, phase });
    delays.push((await many.reached({ name: nameOf(node, recording), phase })) - sentMs);
  }
  return delays;
}

/** While lists are answered and the watches are open. */
async function memorySamples({ pid }: BenchHub, proxy: FrontProxy, runs: number): Promise<number[]> {
  return await repeated(runs, async () => {
    await proxy.get(path, tableMediaType);
    return await memoryMegabytes(pid, 'RssAnon');
  });
}

async function repeated(runs: number, once: () => Promise<number>): Promise<number[]> {
  const values: number[] = [];
  while (values.length < runs) values.push(await once());
  return values;
}
