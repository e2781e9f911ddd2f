import { describe, expect, test } from 'vitest';
import type { Pod } from '../../kubernetes/pod.ts';
import type { FolderState } from '../storage/capture-folders.ts';
import { neverFrozen, podWith, specOf } from '../testing/fixtures.ts';
import { policyObject } from '../testing/policy-object.ts';
import { parsePolicy } from './capture-policy.ts';
import type { Decision } from './decisions.ts';
import type { NodeState } from './node-state.ts';
import { plan } from './plan.ts';
import { noPolicies, type Policies, policiesAfter, rememberedPolicies } from './policies.ts';

const limits = { maxFiles: 100, maxFileMegabytes: 100, retentionMs: 1_000 };
const nowMs = 10_000;
const unixMs = Date.parse('2026-06-01T12:00:00Z');
const uid = 'uid-1';
const web = { labels: { app: 'web' } };
const db = { labels: { app: 'db' } };
const annotated = { 'tcpdump.antrea.io': '3' };
const byPolicy = { policy: 'first' };
const inForce = listed([{}]);
const none = listed([]);

type Case = readonly [
  what: string,
  state: {
    readonly pod: Partial<Pod>;
    readonly policies: Policies;
    /** Undefined: there is none. */
    readonly folder?: Partial<FolderState>;
    readonly isRunning?: true;
  },
  decision: Partial<Decision> | undefined,
  nextMs?: number,
];

const record = (files: number, policy?: string): Partial<Decision> => ({
  kind: 'record',
  spec: specOf(files, { policy }),
});
const notMatched: Partial<Decision> = { kind: 'keep', why: 'NotMatched' };

test.for<Case>([
  ['a Pod that a policy selects', { pod: web, policies: inForce }, record(5, 'first')],
  ['a Pod that no policy selects', { pod: db, policies: inForce }, undefined],
  [
    'a Pod with an annotation and a policy',
    { pod: { ...web, annotations: annotated }, policies: inForce },
    record(3),
  ],
  [
    'a Pod whose annotation was removed, and that a policy selects',
    { pod: web, policies: inForce, folder: {}, isRunning: true },
    record(5, 'first'),
  ],
  [
    'a Pod that failed, and that a policy selects',
    { pod: { ...web, phase: 'Failed' }, policies: inForce, folder: byPolicy },
    { kind: 'keep', why: 'PodEnded' },
    nowMs + 1_000,
  ],
  [
    'a Pod that no policy selects any more, while its capture runs',
    { pod: db, policies: inForce, folder: byPolicy, isRunning: true },
    notMatched,
    nowMs + 1_000,
  ],
  [
    'a Pod that no policy selects any more, after a restart of the agent',
    { pod: db, policies: inForce, folder: { ...byPolicy, endedMs: nowMs - 400 } },
    notMatched,
    nowMs + 600,
  ],
  [
    'a Pod that no policy has selected for the retention time',
    { pod: db, policies: none, folder: { ...byPolicy, endedMs: nowMs - 1_000 } },
    { kind: 'delete', why: 'RetentionOver' },
  ],
  [
    'a Pod that failed, and that no policy selects any more',
    { pod: { ...db, phase: 'Failed' }, policies: none, folder: byPolicy },
    { kind: 'keep', why: 'PodEnded' },
    nowMs + 1_000,
  ],
  [
    'a Pod that is being deleted, and that no policy selects any more, while its capture runs',
    {
      pod: { ...db, deletionTimestamp: '2026-06-01T12:00:00Z' },
      policies: none,
      folder: byPolicy,
      isRunning: true,
    },
    { kind: 'keep', why: 'PodEnded' },
    nowMs + 1_000,
  ],
  [
    'a Pod that is being deleted slowly, and that no policy selects any more',
    {
      pod: { ...db, deletionTimestamp: '2026-06-01T12:00:00Z', gracePeriodSeconds: 61 },
      policies: none,
      folder: byPolicy,
      isRunning: true,
    },
    notMatched,
    nowMs + 1_000,
  ],
  [
    'a Pod that is being deleted, and whose policy has expired',
    {
      pod: { ...web, deletionTimestamp: '2026-06-01T12:00:00Z' },
      policies: listed([{ expires: '2026-06-01T11:59:59Z' }]),
      folder: byPolicy,
      isRunning: true,
    },
    notMatched,
    nowMs + 1_000,
  ],
  [
    'a Pod whose annotation asked last, and that no policy selects',
    { pod: db, policies: none, folder: {}, isRunning: true },
    { kind: 'delete', why: 'AnnotationRemoved' },
  ],
  [
    'a policy with a value that is not allowed',
    { pod: web, policies: listed([{ files: 101 }]), folder: byPolicy },
    { kind: 'refuse', refusal: expect.objectContaining({ reason: 'InvalidPolicy' }) },
  ],
  [
    'a policy that expires',
    { pod: web, policies: listed([{ expires: '2026-06-01T12:00:30Z' }]), folder: byPolicy },
    { kind: 'record' },
    nowMs + 30_000,
  ],
  [
    'a policy that has expired',
    { pod: web, policies: listed([{ expires: '2026-06-01T11:59:59Z' }]), folder: byPolicy },
    notMatched,
    nowMs + 1_000,
  ],
  [
    'a policy with a duration that ends before it expires',
    {
      pod: web,
      policies: listed([{ expires: '2026-06-01T12:00:30Z', duration: '5s' }]),
      folder: byPolicy,
      isRunning: true,
    },
    { kind: 'record' },
    nowMs + 5_000,
  ],
])('%s', ([_what, state, decision, nextMs]) => {
  const planned = plan(stateOf(state));
  expect({ decision: planned.decisions.get(uid), nextMs: planned.nextMs }).toMatchObject({
    decision,
    nextMs,
  });
});

describe('before the policies are listed', () => {
  const remembered = rememberedPolicies(policiesOf([{}]), new Set([uid]));

  test.for<Case>([
    ['an annotated Pod is captured', { pod: { annotations: annotated }, policies: noPolicies }, record(3)],
    ['what an earlier agent captured continues', { pod: web, policies: remembered }, record(5, 'first')],
    [
      'nothing is concluded about captures without a request',
      { pod: web, policies: noPolicies, folder: byPolicy, isRunning: true },
      { kind: 'unknown' },
    ],
    [
      'nothing is concluded about captures whose annotation is gone, either',
      { pod: web, policies: noPolicies, folder: {} },
      { kind: 'unknown' },
    ],
  ])('%s', ([_what, state, decision]) => {
    expect(plan(stateOf(state)).decisions.get(uid)).toMatchObject(decision ?? {});
  });
});

describe('an agent that may not list policies', () => {
  const forbidden = policiesAfter(noPolicies, { kind: 'forbidden' });

  test.for<Case>([
    ['captures annotated Pods', { pod: { annotations: annotated }, policies: forbidden }, record(3)],
    [
      'deletes captures whose annotation is gone',
      { pod: web, policies: forbidden, folder: {} },
      { kind: 'delete', why: 'AnnotationRemoved' },
    ],
    [
      'concludes nothing about captures of policies',
      { pod: web, policies: forbidden, folder: { ...byPolicy, endedMs: 0 } },
      { kind: 'unknown' },
    ],
    [
      'keeps captures of policies of a Pod that has ended for the retention time',
      {
        pod: { ...web, phase: 'Succeeded' },
        policies: forbidden,
        folder: { ...byPolicy, endedMs: nowMs - 999 },
      },
      { kind: 'keep', why: 'PodEnded' },
    ],
    [
      'deletes them then',
      {
        pod: { ...web, phase: 'Succeeded' },
        policies: forbidden,
        folder: { ...byPolicy, endedMs: nowMs - 1_000 },
      },
      { kind: 'delete', why: 'RetentionOver' },
    ],
  ])('%s', ([_what, state, decision]) => {
    expect(plan(stateOf(state)).decisions.get(uid)).toMatchObject(decision ?? {});
  });
});

test('rings of ended Pods are evicted before those that no policy asks for any more, and both only if needed', () => {
  const folder = (name: string, endedMs: number, more: Partial<FolderState> = {}) =>
    [name, folderWith({ ...more, bytes: 3_000_000, endedMs }, name)] as const;
  const pod = (name: string, more: Partial<Pod>) => [name, podWith({ uid: name, ...more })] as const;
  const state: NodeState = {
    ...stateOf({ pod: {}, policies: none }),
    pods: new Map([pod('new', { annotations: annotated }), pod('left', db)]),
    folders: new Map([folder('ended', nowMs - 100), folder('left', nowMs - 900, byPolicy)]),
  };
  const kinds = (diskBudgetBytes: number) =>
    [...plan({ ...state, capacity: { ...state.capacity, diskBudgetBytes } }).decisions].map(
      ([key, { kind }]) => `${key} ${kind}`,
    );
  expect(kinds(12_000_000)).toEqual(['new record', 'left keep', 'ended keep']);
  expect(kinds(10_000_000)).toEqual(['new wait', 'left keep', 'ended delete']);
  expect(kinds(6_000_000)).toEqual(['new wait', 'left delete', 'ended delete']);
});

function stateOf({ pod, policies, folder, isRunning }: Case[1]): NodeState {
  const size = { files: 5, fileMegabytes: 1, rings: 1 };
  return {
    pods: new Map([[uid, podWith(pod)]]),
    folders: new Map(folder ? [[uid, folderWith(folder)]] : []),
    recording: new Map(
      isRunning ? [[uid, { capturedMs: 0, atMs: nowMs, size, formerSizes: [], receiveRings: [] }]] : [],
    ),
    capturedBefore: new Set(),
    waits: new Map(),
    policies,
    deletedBytes: 0,
    capacity: {
      maxCaptures: 100,
      diskBudgetBytes: 1_000_000_000,
      bufferBudgetBytes: 1_000_000_000,
      bufferBytes: 4_000_000,
      fixedBufferKib: 4_096,
      minFreeRatio: 0.2,
      disk: { availableBytes: 50_000_000_000, capacityBytes: 100_000_000_000 },
    },
    limits,
    nowMs,
    unixMs,
  };
}

function folderWith(state: Partial<FolderState>, name = uid): FolderState {
  return {
    pod: { namespace: 'default', name: 'web', uid: name },
    files: 0,
    bytes: 0,
    largestBytes: 0,
    capturedMs: 0,
    endedMs: undefined,
    ...neverFrozen,
    ...state,
  };
}

/** Policies with these changed fields that select app=web, the first one named `first`. */
function listed(specs: readonly object[]): Policies {
  return policiesAfter(noPolicies, { kind: 'listed', items: policiesOf(specs) });
}

function policiesOf(specs: readonly object[]) {
  return specs.map((spec, index) => {
    const parsed = parsePolicy(limits)(policyObject(index === 0 ? 'first' : `z${index}`, spec));
    if (parsed.kind === 'invalid') throw new Error(parsed.problem);
    return parsed.object;
  });
}
