import { join } from 'node:path';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { happens, until } from '../../base/until.ts';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { watchPodNetworks } from '../netns/pod-networks.ts';
import type { Decision, Plan } from '../planner/decisions.ts';
import { openCaptureFolders } from '../storage/capture-folders.ts';
import { podWith, specOf } from '../testing/fixtures.ts';
import { testSpawner } from '../testing/tcpdump-fixtures.ts';
import { startPodLoops } from './pod-loops.ts';

const log = pino({ level: 'silent' });
const spare = { budgetBytes: 0, diskBytes: 0 };

test('recordings are in the order in which they started, whatever was decided about their Pods before', async () => {
  await using scene = await loopsScene();
  const { loops, apply } = scene;
  apply({ a: refuse('a') });
  apply({ a: refuse('a'), b: record('b') });
  await until(() => loops.recording().has('b'), { what: 'the first recording' });
  apply({ a: record('a'), b: record('b') });
  await until(() => loops.recording().has('a'), { what: 'the second recording' });
  expect([...loops.recording().keys()]).toEqual(['b', 'a']);
});

test('a request that arrives at any moment of the end of a loop is carried out, and known', async () => {
  for (let turns = 0; turns < 12; turns += 1) {
    await using scene = await loopsScene();
    const { loops, apply } = scene;
    apply({ a: { kind: 'keep', why: 'PodEnded' } });
    apply({});
    for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
    apply({ a: record('a') });
    const isRecorded = () => loops.recording().has('a');
    expect(await happens(isRecorded, { withinMs: 5_000 }), `after ${turns} turns`).toBe(true);
  }
});

/** The loops of a Node on which no Pod has a network. */
async function loopsScene() {
  const folder = await temporaryFolder();
  const clock = { nowMs: () => performance.now(), bootId: 'boot' };
  const networks = await watchPodNetworks({
    resultsFolder: join(folder.path, 'results'),
    netnsFolder: join(folder.path, 'netns'),
    resyncMs: 60_000,
    log,
  });
  const spawner = await testSpawner();
  const loops = startPodLoops({
    folders: await openCaptureFolders({ root: folder.path, groupId: 10_001, clock, log }),
    networks,
    checkFilter: async () => ({ kind: 'accepted' }),
    settings: { spawner, agent: 'agent', nodeName: 'node1', maxFiles: 100 },
    status: { report: () => {}, started: () => {}, count: () => {}, forget: () => {} },
    mayDelete: async () => true,
    onFolders: () => {},
    requestPlan: () => {},
    clock,
    log,
  });
  return {
    loops,
    apply: (decisions: Readonly<Record<string, Decision>>): void => {
      const plan: Plan = {
        decisions: new Map(Object.entries(decisions)),
        nextMs: undefined,
        spare,
        bufferKib: new Map(),
        freezeCapacity: new Map(),
        requesters: new Map(),
        requests: new Map(),
      };
      loops.apply(plan);
    },
    async [Symbol.asyncDispose]() {
      for (const each of [loops, spawner, networks, folder]) await each[Symbol.asyncDispose]();
    },
  };
}

function record(uid: string): Decision {
  return { kind: 'record', pod: podWith({ uid, name: uid }), spec: specOf(5) };
}

function refuse(uid: string): Decision {
  const refusal = { reason: 'OverBudget', message: 'too much' } as const;
  return { kind: 'refuse', pod: podWith({ uid, name: uid }), refusal };
}
