import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import { reportedRecordingSchema } from '../../link/protocol.ts';
import type { PodState } from '../observability/capture-states.ts';
import type { Plan } from '../planner/decisions.ts';
import type { FolderState } from '../storage/capture-folders.ts';
import type { FreezeRecord } from '../storage/freeze-records.ts';
import type { RecordingNote } from '../storage/recording-note.ts';
import { neverFrozen, podWith } from '../testing/fixtures.ts';
import { describeRecordings, type RecordingSources } from './describe-recordings.ts';

const pod = { namespace: 'shop', name: 'web', uid: 'uid' };
const now = '2026-01-02T00:00:00.000Z';
const earlier = '2026-01-01T00:00:00.000Z';

const capturing: PodState = { uid: 'uid', pod, state: 'capturing', reason: undefined, message: undefined };
const folder: FolderState = {
  pod,
  files: 3,
  bytes: 3_000,
  largestBytes: 1_000,
  capturedMs: 1,
  endedMs: undefined,
  ...neverFrozen,
};
const spec = {
  files: 3,
  fileMegabytes: 1,
  interfaces: ['eth0', 'lo'],
  filter: 'udp',
  snaplen: 128,
  durationMs: 90_000,
  freeze: { on: ['restart'], afterMs: 5_000, text: undefined },
  isPaused: false,
  policy: undefined,
} as const;
const note: RecordingNote = {
  labels: { app: 'old' },
  interfaces: ['eth0'],
  requested: { files: 9, fileMegabytes: 1 },
  phase: { phase: 'Capturing', since: earlier },
  startTime: earlier,
};

const listedPod = podWith({ ...pod, labels: { app: 'web' } });

const plan: Plan = {
  decisions: new Map([['uid', { kind: 'record', pod: listedPod, spec }]]),
  nextMs: undefined,
  spare: { budgetBytes: 0, diskBytes: 0 },
  freezeCapacity: new Map(),
  requesters: new Map([['uid', { policy: undefined }]]),
  requests: new Map([['uid', spec]]),
  bufferKib: new Map(),
};

function describedAs(sources: Partial<RecordingSources>) {
  const described = describeRecordings({
    states: new Map(),
    plan: undefined,
    folders: new Map(),
    notes: new Map(),
    counters: new Map(),
    undecided: new Set(),
    now,
    ...sources,
  }).get('uid');
  if (described) v.assert(reportedRecordingSchema, described.reported);
  return described;
}

const states = new Map([['uid', capturing]]);
const folders = new Map([['uid', folder]]);
const notes = new Map([['uid', note]]);
const undecided = new Set(['uid']);

test('a capture is described by what is asked for, and by what is in its folder', () => {
  expect(describedAs({ states, plan, folders })).toEqual({
    reported: {
      ...pod,
      labels: { app: 'web' },
      status: {
        phase: 'Capturing',
        phaseSince: now,
        startTime: now,
        podCreationTime: listedPod.creationTimestamp,
        interfaces: ['eth0', 'lo'],
        requested: {
          files: 3,
          fileMegabytes: 1,
          filter: 'udp',
          snaplen: 128,
          durationSeconds: 90,
          freezeOn: ['restart'],
        },
        requestedBy: { kind: 'Annotation' },
        files: 3,
        bytes: 3_000,
      },
    },
    note: {
      labels: { app: 'web' },
      interfaces: ['eth0', 'lo'],
      requested: expect.objectContaining({ files: 3 }),
      phase: { phase: 'Capturing', since: now },
      startTime: now,
      podCreationTime: listedPod.creationTimestamp,
    },
  });
});

describe('what an earlier agent knew', () => {
  test('says when a Pod was created that is not listed any more', () => {
    const known = new Map([['uid', { ...note, podCreationTime: earlier }]]);
    expect(describedAs({ folders, notes: known, undecided })?.reported.status).toMatchObject({
      podCreationTime: earlier,
    });
    expect(describedAs({ folders, notes, undecided })?.reported.status).not.toHaveProperty('podCreationTime');
  });

  test('gives the start, and since when it has this phase', () => {
    expect(describedAs({ states, plan, folders, notes })?.reported.status).toMatchObject({
      startTime: earlier,
      phaseSince: earlier,
    });
    const paused = new Map([['uid', { ...capturing, state: 'paused' } as const]]);
    expect(describedAs({ states: paused, plan, folders, notes })?.reported.status).toMatchObject({
      startTime: earlier,
      phaseSince: now,
    });
  });

  test('counts where the Pod is not known any more', () => {
    const ended = new Map([['uid', { ...folder, endedMs: 1, policy: 'all' }]]);
    const reported = describedAs({ folders: ended, notes })?.reported;
    expect(reported?.labels).toEqual({ app: 'old' });
    expect(reported?.status).toMatchObject({
      phase: 'Ended',
      reason: 'PodEnded',
      interfaces: ['eth0'],
      requested: { files: 9 },
      requestedBy: { kind: 'CapturePolicy', name: 'all' },
    });
  });
});

describe('a folder without a state', () => {
  test('is described as before, while its capture starts or is deleted', () => {
    expect(describedAs({ folders, plan, notes })?.reported.status).toMatchObject({
      phase: 'Capturing',
      phaseSince: earlier,
    });
  });

  test('is not described yet if nothing was known of it', () => {
    expect(describedAs({ folders, plan })).toBeUndefined();
  });

  test('is unknown if that lasts', () => {
    for (const known of [notes, new Map()])
      expect(describedAs({ folders, plan, notes: known, undecided })?.reported.status).toMatchObject({
        phase: 'Unknown',
        reason: 'NotDecided',
      });
  });
});

test('a Pod without a folder has no files and no packets, and what is refused for what it asks for has no request', () => {
  const refused: PodState = { ...capturing, state: 'refused', reason: 'HostNetwork', message: 'a\u0007b' };
  const asking = { ...plan, requests: new Map() };
  const status = describedAs({ states: new Map([['uid', refused]]), plan: asking })?.reported.status;
  expect(status).toEqual({
    phase: 'Refused',
    reason: 'HostNetwork',
    message: 'a b',
    phaseSince: now,
    startTime: now,
    podCreationTime: listedPod.creationTimestamp,
    interfaces: [],
    requestedBy: { kind: 'Annotation' },
    files: 0,
    bytes: 0,
    packets: 0,
    dropped: 0,
  });
});

test('frozen rings are described once they have been set aside, with their causes in words', () => {
  const begun: FreezeRecord = {
    version: 1,
    number: 2,
    causes: [{ trigger: 'manual', text: 'now' }],
    upTo: 1,
    time: earlier,
    clock: { bootId: 'boot', startMs: 1 },
    notFrozenBefore: 0,
    log: { sequence: 1, seen: { bootId: 'boot', phase: 'Running', containers: [] }, notFrozen: 0 },
  };
  const records = [{ ...begun, number: 1, frozen: {} }, begun];
  const rings = records.map((record) => ({ folder: '', record, files: 2, bytes: 20 }));
  const frozenFolder = new Map([['uid', { ...folder, freezes: { log: undefined, rings } }]]);
  expect(describedAs({ states, plan, folders: frozenFolder })?.reported.status.frozen).toEqual([
    { number: 1, time: earlier, causes: ['asked for by podcap.dev/freeze="now"'], files: 2, bytes: 20 },
  ]);
});

test('counters that a hub has asked for are told with the rest, and the newest size', () => {
  const counters = new Map([['uid', { files: 1, bytes: 1, packets: 7, dropped: 0 }]]);
  expect(describedAs({ states, plan, folders, counters })?.reported.status).toMatchObject({
    files: 3,
    bytes: 3_000,
    packets: 7,
    dropped: 0,
  });
});
