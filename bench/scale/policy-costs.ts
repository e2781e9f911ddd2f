import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../src/base/until.ts';
import type { Row } from '../figure.ts';
import { median } from '../support/statistics.ts';
import { type Cost, repeat, row, type ScaleSetup, scaled } from './measured-costs.ts';

/** What the second watch of each agent costs, that of the CapturePolicies of all namespaces. */
export type PolicyCosts = {
  readonly starts: readonly Cost[];
  readonly idle: readonly Cost[];
  readonly changes: readonly Cost[];
  /** Whether each change reached every watch once. */
  readonly areChangesSeenByAll: boolean;
};

/** To which the costs of the measured watches are extrapolated. */
const agents = 5_000;
const changesPerRun = 10;
const minuteMs = 60_000;

/** Measures the watches of policies alone: no other watch runs. */
export async function measurePolicyCosts(setup: ScaleSetup, watches: number): Promise<PolicyCosts> {
  const { fleet, watchers, runs } = setup;
  const start = watchers.startPolicies;
  const starts = await repeat(setup, {
    name: 'starts of policy watches',
    run: start,
    afterwards: watchers.stop,
  });
  await start();
  const idle = await repeat(setup, { name: 'idle with policy watches', run: () => sleep(minuteMs) });
  const before = await watchers.changes();
  const changes = await repeat(setup, {
    name: 'changes of policies',
    async run() {
      const atStart = await watchers.changes();
      for (let i = 0; i < changesPerRun; i += 1) await fleet.changePolicy(i);
      const haveArrived = async () => (await watchers.changes()) - atStart >= changesPerRun * watches;
      await until(haveArrived, { what: 'the changes on the watches of policies' });
    },
  });
  const areChangesSeenByAll = (await watchers.changes()) - before === runs * changesPerRun * watches;
  await watchers.stop();
  return { starts, idle, changes, areChangesSeenByAll };
}

/**
 * The rows for 5,000 agents, extrapolated from that many watches. `background` is a minute without watches: the API
 * server's other work does not grow with the agents.
 */
export function policyRows(
  { starts, idle, changes }: PolicyCosts,
  {
    watches,
    policies,
    background,
  }: { readonly watches: number; readonly policies: number; readonly background: readonly Cost[] },
): Row[] {
  const factor = agents / watches;
  const perChange = factor / changesPerRun;
  const perHour = (factor * 3_600_000) / minuteMs;
  const by = `${policies} policies, ${agents} agents (extrapolated from ${watches})`;
  const otherCpuMs = median(scaled(background, 'cpuMs'));
  const ownIdle = idle.map((cost) => ({ ...cost, cpuMs: Math.max(0, cost.cpuMs - otherCpuMs) }));
  return [
    row(`${by}, all start: bytes`, scaled(starts, 'bytes', factor)),
    row(`${by}, all start: ms of API server CPU`, scaled(starts, 'cpuMs', factor)),
    row(`${by}, an idle hour: bytes`, scaled(ownIdle, 'bytes', perHour)),
    row(`${by}, an idle hour: ms of API server CPU`, scaled(ownIdle, 'cpuMs', perHour)),
    row(`${by}, a changed policy: bytes`, scaled(changes, 'bytes', perChange)),
    row(`${by}, a changed policy: ms of API server CPU`, scaled(changes, 'cpuMs', perChange)),
  ];
}
