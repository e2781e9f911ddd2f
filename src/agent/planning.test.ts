import { setTimeout as sleep } from 'node:timers/promises';
import { type Logger, pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { until } from '../base/until.ts';
import { type Progress, trackProgress } from './observability/progress.ts';
import { type CapturePolicy, parsePolicy } from './planner/capture-policy.ts';
import type { Plan } from './planner/decisions.ts';
import { mostCountingPolicies } from './planner/policies.ts';
import { startPlanning } from './planning.ts';
import type { FolderState } from './storage/capture-folders.ts';
import type { DiskSample } from './storage/disk-sampling.ts';
import type { FreeSpace } from './storage/free-space.ts';
import type { Requester } from './storage/requester.ts';
import { neverFrozen, podWith } from './testing/fixtures.ts';
import { policyObject } from './testing/policy-object.ts';

const web = podWith({ uid: 'web', annotations: { 'tcpdump.antrea.io': '5' } });
const plenty: FreeSpace = { availableBytes: 1e9, capacityBytes: 1e9 };
const folderByPolicy: FolderState = {
  pod: web,
  files: 0,
  bytes: 0,
  largestBytes: 0,
  capturedMs: 0,
  endedMs: undefined,
  ...neverFrozen,
  policy: 'first',
};
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
  scene.planning.awaitFirstLists();
  await until(() => scene.plans.length > 0, { what: 'a plan without a list' });
  expect(scene.plans.map(uidsOf)).toEqual([['web']]);
  expect(scene.planning.latest()).toBeUndefined();
  expect(scene.noted).toEqual([]);
  scene.planning.change({ kind: 'listed', items: [db] });
  await until(() => scene.plans.length > 1, { what: 'a plan of the list' });
  expect(scene.plans.map(uidsOf)).toEqual([['web'], ['db']]);
  expect(scene.noted).toEqual([['db']]);
});

describe('with CapturePolicies', () => {
  const policy = policyObject('first');
  const pod = podWith({ uid: 'web', labels: { app: 'web' } });
  const kindsOf = (plans: readonly Plan[]) => plans.map(({ decisions }) => decisions.get('web')?.kind);

  test('a Pod is captured once both Pods and policies are listed', async () => {
    using scene = planningScene([]);
    scene.planning.change({ kind: 'listed', items: [pod] });
    expect(scene.planning.unlisted()).toBe('the CapturePolicies');
    scene.planning.changePolicies({ kind: 'listed', items: parsed(policy) });
    await until(() => scene.plans.length === 2, { what: 'the second plan' });
    expect(kindsOf(scene.plans)).toEqual([undefined, 'record']);
    expect(scene.planning.unlisted()).toBeUndefined();
    expect(scene.noted).toEqual([[], ['web', 'first']]);
  });

  test('what an earlier agent captured continues without any list, and until the policies are listed', async () => {
    using scene = planningScene([pod], { policiesBefore: [policy] });
    scene.planning.awaitFirstLists();
    await until(() => scene.plans.length === 1, { what: 'a plan without a list' });
    // What is listed by then says nothing about a Pod as it was.
    scene.planning.changePolicies({ kind: 'listed', items: [] });
    await until(() => scene.plans.length === 2, { what: 'a plan without Pods' });
    expect(kindsOf(scene.plans)).toEqual(['record', 'record']);
  });

  test('who asks for a Pod is noted, also for what is refused, and nobody once nobody asks', async () => {
    using scene = planningScene([]);
    scene.planning.change({ kind: 'listed', items: [pod] });
    scene.planning.changePolicies({ kind: 'listed', items: parsed(policyObject('a', { files: 1_000 })) });
    await until(() => scene.plans.length === 2, { what: 'the second plan' });
    scene.planning.changePolicies({ kind: 'listed', items: [] });
    await until(() => scene.plans.length === 3, { what: 'the third plan' });
    expect(scene.requested).toEqual([{}, { web: { policy: 'a' } }, {}]);
  });

  test('if no list of policies arrives in time, nothing waits for it any more', async () => {
    const folder = { ...folderByPolicy, pod: { ...folderByPolicy.pod, uid: 'web' }, policy: undefined };
    using scene = planningScene([], { folders: [folder], policiesWithinMs: 30 });
    scene.planning.change({ kind: 'listed', items: [pod] });
    expect(kindsOf(scene.plans)).toEqual(['unknown']);
    scene.planning.awaitFirstLists();
    await until(() => scene.plans.length === 2, { what: 'the second plan' });
    expect(kindsOf(scene.plans)).toEqual(['unknown', 'delete']);
    expect(scene.planning.unlisted()).toBeUndefined();
  });

  test('without a list of policies, Pods that are listed continue, and no others are captured', async () => {
    using scene = planningScene([pod], { policiesBefore: [policy] });
    scene.planning.change({ kind: 'listed', items: [pod, { ...pod, uid: 'new' }, db] });
    expect(scene.plans.map(uidsOf)).toEqual([['web', 'db']]);
    expect(scene.noted).toEqual([['web', 'db', 'first']]);
    scene.planning.changePolicies({ kind: 'listed', items: [] });
    await until(() => scene.plans.length === 2, { what: 'the second plan' });
    expect(scene.plans.map(uidsOf)).toEqual([['web', 'db'], ['db']]);
  });

  test('a Pod that an earlier agent captured comes first, also if its policy is known only later', async () => {
    const old = podWith({
      uid: 'old',
      annotations: { 'tcpdump.antrea.io': '5' },
      creationTimestamp: '2025-01-01T00:00:00Z',
    });
    using scene = planningScene([pod], { maxCaptures: 1, folders: [folderByPolicy] });
    scene.planning.change({ kind: 'listed', items: [pod] });
    scene.planning.changePolicies({ kind: 'listed', items: parsed(policy) });
    scene.planning.change({ kind: 'applied', object: old });
    await until(() => scene.plans.length === 2, { what: 'the second plan' });
    expect(kindsOf(scene.plans)).toEqual(['unknown', 'record']);
  });

  test('a namespace with more than count is logged once', () => {
    const lines: unknown[] = [];
    const log = pino(
      { base: null, timestamp: false },
      { write: (line) => void lines.push(JSON.parse(line)) },
    );
    using scene = planningScene([], { log });
    const policies = Array.from({ length: mostCountingPolicies + 1 }, (_, i) => policyObject(`p${i}`));
    scene.planning.changePolicies({ kind: 'listed', items: parsed(...policies) });
    for (const kind of ['deleted', 'applied'] as const)
      for (const object of parsed(policyObject('p0'))) scene.planning.changePolicies({ kind, object });
    expect(lines).toEqual([
      {
        level: 40,
        namespace: 'default',
        counting: mostCountingPolicies,
        msg: 'too many CapturePolicies: only the oldest of the namespace select Pods',
      },
    ]);
  });

  test('only the policy that applies to each captured Pod is noted for the next agent', async () => {
    using scene = planningScene([]);
    const policies = [
      policyObject('a', { expires: '2026-01-01T00:00:00Z' }),
      ...['b', 'c', 'd'].map((name) => policyObject(name)),
    ];
    const own = podWith({ uid: 'own', labels: { app: 'web' }, annotations: web.annotations });
    scene.planning.changePolicies({ kind: 'listed', items: parsed(...policies) });
    scene.planning.change({ kind: 'listed', items: [pod, { ...pod, uid: 'web2' }, own] });
    await until(() => scene.noted.length > 0, { what: 'the plan' });
    expect(scene.noted.at(-1)?.toSorted()).toEqual(['b', 'own', 'web', 'web2']);
  });

  test('a change of what is not read makes no plan', async () => {
    using scene = planningScene([]);
    scene.planning.change({ kind: 'listed', items: [pod] });
    scene.planning.changePolicies({ kind: 'listed', items: parsed(policy) });
    await until(() => scene.plans.length === 2, { what: 'the second plan' });
    for (const object of parsed(policyObject('first', {}, { annotations: { touched: 'x' } })))
      scene.planning.changePolicies({ kind: 'applied', object });
    await sleep(50);
    expect(scene.plans).toHaveLength(2);
  });

  test('an agent that may not list them is ready', () => {
    using scene = planningScene([]);
    scene.planning.change({ kind: 'listed', items: [db] });
    scene.planning.changePolicies({ kind: 'forbidden' });
    expect(scene.planning.unlisted()).toBeUndefined();
  });
});

test('Pods that an earlier agent captured come before older ones until their request is refused for itself', async () => {
  const old = podWith({
    uid: 'old',
    annotations: web.annotations,
    creationTimestamp: '2025-01-01T00:00:00Z',
  });
  using scene = planningScene([web], { maxCaptures: 1 });
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

describe('a capture that does not fit by a sample of the disk that is newer than the sizes of the captures', () => {
  const tooLittle = { availableBytes: 1e6, capacityBytes: 1e9 };
  const kindsOf = (plans: readonly Plan[]) => plans.map(({ decisions }) => decisions.get('web')?.kind);

  test('is refused once all captures are measured', async () => {
    using scene = planningScene([], { disk: tooLittle, isMeasured: false });
    scene.planning.change({ kind: 'listed', items: [web] });
    expect([kindsOf(scene.plans), scene.measurements()]).toEqual([[], 1]);
    scene.sample({ disk: tooLittle, isMeasured: true });
    await until(() => scene.plans.length === 1, { what: 'the plan' });
    expect(kindsOf(scene.plans)).toEqual(['refuse']);
  });

  test('starts if it fits by then', async () => {
    using scene = planningScene([], { disk: tooLittle, isMeasured: false });
    scene.planning.change({ kind: 'listed', items: [web] });
    scene.sample({ isMeasured: true });
    await until(() => scene.plans.length === 1, { what: 'the plan' });
    expect(kindsOf(scene.plans)).toEqual(['record']);
  });

  test('is refused all the same if they cannot be measured', async () => {
    using scene = planningScene([], { disk: tooLittle, isMeasured: false });
    scene.planning.change({ kind: 'listed', items: [web] });
    await until(() => scene.plans.length === 1, { what: 'the plan' });
    expect(kindsOf(scene.plans)).toEqual(['refuse']);
  });

  test('that is refused already needs no further measurement', async () => {
    using scene = planningScene([], { disk: tooLittle, isMeasured: true });
    scene.planning.change({ kind: 'listed', items: [web] });
    scene.sample({ disk: tooLittle, isMeasured: false });
    await until(() => scene.plans.length === 2, { what: 'the second plan' });
    expect([kindsOf(scene.plans), scene.measurements()]).toEqual([['refuse', 'refuse'], 0]);
  });
});

test('what can never fit is refused at once, and delays no other Pod until the captures are measured', async () => {
  using scene = planningScene([], { isMeasured: false });
  const annotations = { 'tcpdump.antrea.io': '100', 'podcap.dev/file-size': '100' };
  scene.planning.change({ kind: 'listed', items: [podWith({ uid: 'huge', annotations }), web] });
  const kindOf = (uid: string) => scene.plans.map(({ decisions }) => decisions.get(uid)?.kind);
  expect([kindOf('huge'), kindOf('web'), scene.measurements()]).toEqual([['refuse'], ['record'], 0]);
});

test('planning makes progress without a list too: a server that is away is no reason to restart', () => {
  let nowMs = 0;
  const progress = trackProgress(() => nowMs);
  using scene = planningScene([], { progress });
  nowMs = 70_000;
  expect(progress.stuck()).toEqual(['planning: not done for 70 s']);
  scene.planning.run();
  expect(progress.stuck()).toEqual([]);
  expect(scene.plans).toEqual([]);
});

type SceneOptions = {
  readonly progress?: Progress;
  readonly policiesBefore?: readonly object[];
  readonly folders?: readonly FolderState[];
  readonly maxCaptures?: number;
  readonly disk?: FreeSpace;
  readonly isMeasured?: boolean;
  readonly log?: Logger;
  readonly policiesWithinMs?: number;
};

/** Planning on a Node without folders, unless some are given; `plans` and `noted` are what it passed on. */
function planningScene(before: readonly (typeof web)[], options: SceneOptions = {}) {
  const plans: Plan[] = [];
  const noted: string[][] = [];
  const requested: Record<string, Requester>[] = [];
  let measurements = 0;
  const sampleOf = ({ disk = plenty, isMeasured = true }: SceneOptions): DiskSample => ({
    disk,
    bytesOf: new Map(),
    isMeasured,
    heldBytes: 0,
  });
  let latest = sampleOf(options);
  const planning = startPlanning({
    folders: {
      states: () => new Map(options.folders?.map((folder) => [folder.pod.uid, folder])),
      noteRequesters: (requesters) => requested.push(Object.fromEntries(requesters)),
    },
    loops: { apply: (plan) => plans.push(plan), recording: () => new Map() },
    capturedPods: {
      before: { pods: before, policies: options.policiesBefore ?? [] },
      note: ({ pods, policies }) =>
        noted.push([...pods.map(({ uid }) => uid), ...parsed(...policies).map(({ name }) => name)]),
    },
    capacity: {
      maxCaptures: options.maxCaptures ?? 10,
      diskBudgetBytes: 1e9,
      bufferBudgetBytes: 1e9,
      bufferBytes: 1e6,
      fixedBufferKib: 4_096,
      minFreeRatio: 0,
    },
    disk: {
      latest: () => latest,
      measure() {
        measurements += 1;
      },
    },
    limits: { maxFiles: 100, maxFileMegabytes: 100, retentionMs: 1_000 },
    discarded: new Set(),
    progress: options.progress ?? trackProgress(),
    clock: { nowMs: () => performance.now(), bootId: 'boot' },
    log: options.log ?? pino({ level: 'silent' }),
    signal: new AbortController().signal,
    ...(options.policiesWithinMs !== undefined && { policiesWithinMs: options.policiesWithinMs }),
  });
  return {
    planning,
    plans,
    noted,
    requested,
    measurements: () => measurements,
    sample(sample: SceneOptions) {
      latest = sampleOf(sample);
      planning.run();
    },
    [Symbol.dispose]: () => planning[Symbol.dispose](),
  };
}

function parsed(...objects: readonly object[]): CapturePolicy[] {
  return objects.map(parsePolicy({ maxFiles: 100, maxFileMegabytes: 100 })).map((each) => {
    if (each.kind === 'invalid') throw new Error(each.problem);
    return each.object;
  });
}

function uidsOf({ decisions }: Plan): string[] {
  return [...decisions.keys()];
}
