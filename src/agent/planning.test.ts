import { pino } from 'pino';
import { expect, test } from 'vitest';
import { until } from '../base/until.ts';
import { trackProgress } from './observability/progress.ts';
import type { Plan } from './planner/plan.ts';
import { startPlanning } from './planning.ts';
import { podWith } from './testing/fixtures.ts';

const web = podWith({ uid: 'web', annotations: { 'tcpdump.antrea.io': '5' } });
const db = podWith({ uid: 'db', annotations: { 'tcpdump.antrea.io': '5' } });

test('many changes at once make one plan after the first', async () => {
  using scene = planningScene([]);
  scene.planning.change({ kind: 'listed', items: [] });
  for (let i = 0; i < 100; i += 1) scene.planning.change({ kind: 'applied', object: web });
  scene.planning.change({ kind: 'applied', object: db });
  await until(() => scene.plans.length > 1, { what: 'the second plan' });
  expect(scene.plans.map(uidsOf)).toEqual([[], ['web', 'db']]);
  expect(scene.planning.latest()).toBe(scene.plans[1]);
  expect(scene.noted).toEqual([[], ['web', 'db']]);
});

test('without a list the Pods of an earlier agent are captured, until a list arrives', async () => {
  using scene = planningScene([web]);
  scene.planning.awaitFirstList();
  await until(() => scene.plans.length > 0, { what: 'a plan without a list' });
  expect(scene.plans.map(uidsOf)).toEqual([['web']]);
  expect(scene.planning.latest()).toBeUndefined();
  expect(scene.noted).toEqual([]);
  scene.planning.change({ kind: 'listed', items: [db] });
  await until(() => scene.plans.length > 1, { what: 'a plan of the list' });
  expect(scene.plans.map(uidsOf)).toEqual([['web'], ['db']]);
  expect(scene.noted).toEqual([['db']]);
});

test('Pods that an earlier agent captured come before older ones until their request is refused for itself', async () => {
  const old = podWith({
    uid: 'old',
    annotations: web.annotations,
    creationTimestamp: '2025-01-01T00:00:00Z',
  });
  using scene = planningScene([web], 1);
  const recorded = () =>
    [...(scene.planning.latest()?.decisions ?? [])].flatMap(([uid, { kind }]) =>
      kind === 'record' ? uid : [],
    );
  scene.planning.change({ kind: 'listed', items: [old, web] });
  expect(recorded()).toEqual(['web']);
  scene.planning.change({ kind: 'applied', object: db });
  await until(() => scene.plans.length === 2, { what: 'a plan while the capture does not run yet' });
  expect(recorded()).toEqual(['web']);
  scene.planning.change({ kind: 'applied', object: { ...web, annotations: { 'tcpdump.antrea.io': 'bad' } } });
  await until(() => scene.plans.length === 3, { what: 'the plan that refuses' });
  expect(recorded()).toEqual(['old']);
  scene.planning.change({ kind: 'applied', object: web });
  await until(() => scene.plans.length === 4, { what: 'the plan after that' });
  expect(recorded()).toEqual(['old']);
});

test('planning makes progress without a list too: a server that is away is no reason to restart', () => {
  let nowMs = 0;
  const progress = trackProgress(() => nowMs);
  using scene = planningScene([], 10, progress);
  nowMs = 70_000;
  expect(progress.stuck()).toEqual(['planning: not done for 70 s']);
  scene.planning.run();
  expect(progress.stuck()).toEqual([]);
  expect(scene.plans).toEqual([]);
});

/** Planning on a Node without folders; `plans` and `noted` are what it passed on. */
function planningScene(before: readonly (typeof web)[], maxCaptures = 10, progress = trackProgress()) {
  const plans: Plan[] = [];
  const noted: string[][] = [];
  const planning = startPlanning({
    folders: { states: () => new Map() },
    reconcilers: { apply: (plan) => plans.push(plan), recording: () => new Map() },
    capturedPods: { before, note: (pods) => noted.push(pods.map(({ uid }) => uid)) },
    capacity: () => ({
      maxCaptures,
      diskBudgetBytes: 1e9,
      bufferBudgetBytes: 1e9,
      bufferBytes: 1e6,
      minFreeRatio: 0,
      disk: { availableBytes: 1e9, capacityBytes: 1e9 },
    }),
    progress,
    limits: { maxFiles: 100, maxFileMegabytes: 100, retentionMs: 1_000 },
    clock: { nowMs: () => performance.now(), bootId: 'boot' },
    log: pino({ level: 'silent' }),
    signal: new AbortController().signal,
  });
  return { planning, plans, noted, [Symbol.dispose]: () => planning[Symbol.dispose]() };
}

function uidsOf({ decisions }: Plan): string[] {
  return [...decisions.keys()];
}
