import { expect, test } from 'vitest';
import { happens, until } from '../../base/until.ts';
import { memoryLog } from '../../kubernetes/testing/memory-logger.ts';
import { linkBounds, linkPaths } from '../../link/protocol.ts';
import type { PodState } from '../observability/capture-states.ts';
import type { Plan } from '../planner/decisions.ts';
import type { FolderState } from '../storage/capture-folders.ts';
import type { DeletedRecording } from '../storage/deleted-recordings.ts';
import type { RecordingNote } from '../storage/recording-note.ts';
import { neverFrozen } from '../testing/fixtures.ts';
import { openRecordingReports, type RecordingReportsOptions } from './recording-reports.ts';
import { followReports } from './testing/followed-reports.ts';
import { hubScene, startTestLinks } from './testing/hub-scene.ts';

const emptyPlan: Plan = {
  decisions: new Map(),
  nextMs: undefined,
  spare: { budgetBytes: 0, diskBytes: 0 },
  freezeCapacity: new Map(),
  requesters: new Map(),
  requests: new Map(),
  bufferKib: new Map(),
};

const stateOf = (uid: string, state: PodState['state'] = 'capturing'): PodState => ({
  uid,
  pod: { namespace: 'shop', name: uid },
  state,
  reason: undefined,
  message: undefined,
});

const folderOf = (uid: string): FolderState => ({
  pod: { namespace: 'shop', name: uid, uid },
  files: 1,
  bytes: 1,
  largestBytes: 1,
  capturedMs: 1,
  endedMs: undefined,
  ...neverFrozen,
});

/** An agent whose states a test sets, with a link to one hub. */
async function reportingAgent(options: Partial<RecordingReportsOptions> = {}) {
  const opened = new AsyncDisposableStack();
  const scene = opened.use(await hubScene());
  const hub = await scene.startHub();
  scene.list(hub);
  const node = {
    states: [stateOf('a')],
    plan: undefined as Plan | undefined,
    folders: new Map<string, FolderState>(),
    written: new Map<string, RecordingNote>(),
    deleted: [] as readonly DeletedRecording[],
    deletionWrites: 0,
    nowMs: 0,
  };
  const log = memoryLog();
  const reports = opened.use(
    openRecordingReports({
      states: () => node.states,
      plan: () => node.plan,
      folders: {
        states: () => node.folders,
        readNote: async () => undefined,
        writeNote: async (uid, note) => {
          node.written.set(uid, note);
          return true;
        },
      },
      deletions: {
        read: async () => node.deleted,
        async write(deleted) {
          node.deletionWrites += 1;
          node.deleted = deleted;
          await Promise.resolve();
        },
      },
      counters: () => new Map(),
      countAnew: async () => {},
      clock: { nowMs: () => node.nowMs },
      log,
      ...options,
    }),
  );
  const routes = new Map([[linkPaths.reports, { methods: ['GET'], handle: reports.handle }]]);
  opened.use(startTestLinks(scene, { routes }));
  const link = await hub.link();
  return {
    node,
    log,
    changed: reports.changed,
    follow: () => followReports(link),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

test('nothing is told before it is known what is to be captured, or for 5 s', async () => {
  await using agent = await reportingAgent();
  const reports = agent.follow();
  expect(await happens(() => reports.of('a') !== undefined || reports.isSynced(), { withinMs: 300 })).toBe(
    false,
  );
  // A hub sees that the agent is alive.
  expect(reports.lines).toEqual([{ kind: 'heartbeat' }]);
  agent.node.nowMs = 5_000;
  agent.changed();
  await until(() => reports.isSynced(), { what: 'everything to be told' });
  expect(reports.of('a')?.status.phase).toBe('Capturing');
});

test('a change that nobody announces is told within a second or so, and silence is broken by heartbeats', async () => {
  await using agent = await reportingAgent({ heartbeatMs: 50 });
  agent.node.plan = emptyPlan;
  const reports = agent.follow();
  await reports.inPhase('a', 'Capturing');
  agent.node.states = [stateOf('a', 'paused')];
  await reports.inPhase('a', 'Paused');
  await until(() => reports.lines.filter(({ kind }) => kind === 'heartbeat').length > 3, {
    what: 'heartbeats',
  });
  expect(reports.lines.filter(({ kind }) => kind === 'synced')).toHaveLength(1);
});

test('what says that a capture is over has its last counts, and is told once', async () => {
  const counted = new Map([['a', { files: 1, bytes: 1, packets: 3 }]]);
  await using agent = await reportingAgent({
    counters: () => counted,
    countAnew: async (uids) => uids.forEach((uid) => counted.set(uid, { files: 1, bytes: 1, packets: 7 })),
  });
  agent.node.plan = emptyPlan;
  agent.node.folders = new Map([['a', folderOf('a')]]);
  const reports = agent.follow();
  expect((await reports.inPhase('a', 'Capturing')).status.packets).toBe(3);
  agent.node.states = [stateOf('a', 'ended')];
  agent.changed();
  expect((await reports.inPhase('a', 'Ended')).status.packets).toBe(7);
  expect(reports.lines.filter(({ kind }) => kind === 'recording')).toHaveLength(2);
});

test('that a captured Pod has no network any more is told only if it stays so', async () => {
  await using agent = await reportingAgent();
  const { node } = agent;
  node.plan = emptyPlan;
  node.folders = new Map([['a', folderOf('a')]]);
  const reports = agent.follow();
  await reports.inPhase('a', 'Capturing');
  node.states = [stateOf('a', 'waiting'), stateOf('b')];
  agent.changed();
  await reports.inPhase('b', 'Capturing');
  expect(reports.of('a')?.status.phase).toBe('Capturing');
  node.nowMs = 5_000;
  await reports.inPhase('a', 'Waiting');
});

test('what becomes too much is said, and the reports go on', async () => {
  await using agent = await reportingAgent();
  agent.node.plan = emptyPlan;
  const most = Array.from({ length: linkBounds.recordings }, (_, at) => stateOf(`pod-${at}`));
  agent.node.states = most;
  const reports = agent.follow();
  await until(() => reports.isSynced(), { what: 'everything to be told' });
  agent.node.states = [...most, stateOf('newest')];
  agent.changed();
  await until(() => reports.of('newest'), { what: 'the newest to be told' });
  expect(reports.lines.slice(-2)).toMatchObject([{ kind: 'leftOut', recordings: 1 }, { kind: 'recording' }]);
  const later = agent.follow();
  await until(() => later.isSynced(), { what: 'everything to be told to another hub' });
  expect(later.lines.filter(({ kind }) => kind === 'recording')).toHaveLength(linkBounds.recordings);
  expect(later.lines.find(({ kind }) => kind === 'leftOut')).toMatchObject({ recordings: 1 });
  agent.node.states = most;
  agent.changed();
  await until(() => reports.lines.at(-1)?.kind === 'leftOut', { what: 'that nothing is left out' });
  expect(reports.lines.at(-1)).toEqual({ kind: 'leftOut', recordings: 0 });
  expect(reports.isClosed()).toBe(false);
});

test('the note of a recording is written once its folder is there, and again when it changes', async () => {
  await using agent = await reportingAgent();
  const { node } = agent;
  node.plan = emptyPlan;
  const reports = agent.follow();
  await reports.inPhase('a', 'Capturing');
  expect(node.written.size).toBe(0);
  node.folders = new Map([['a', folderOf('a')]]);
  agent.changed();
  await until(() => node.written.get('a')?.phase?.phase === 'Capturing', { what: 'the note' });
  node.states = [stateOf('a', 'paused')];
  agent.changed();
  await until(() => node.written.get('a')?.phase?.phase === 'Paused', { what: 'the changed note' });
});

test('a disk that takes no note is logged once, and hubs are told all the same', async () => {
  await using agent = await reportingAgent({
    folders: {
      states: () => new Map([['a', folderOf('a')]]),
      readNote: async () => undefined,
      writeNote: async () => await Promise.reject(new Error('ENOSPC')),
    },
  });
  agent.node.plan = emptyPlan;
  const reports = agent.follow();
  await reports.inPhase('a', 'Capturing');
  for (const state of ['paused', 'failed'] as const) {
    agent.node.states = [stateOf('a', state)];
    agent.changed();
    await reports.inPhase('a', state === 'paused' ? 'Paused' : 'Failed');
  }
  expect(
    agent.log.lines.filter(({ message }) => message === 'failed to write the note of a recording'),
  ).toHaveLength(1);
});

test('a recording whose note cannot be read is not told as one that begins now', async () => {
  const startTime = '2020-01-01T00:00:00.000Z';
  let isReadable = false;
  const written: RecordingNote[] = [];
  await using agent = await reportingAgent({
    folders: {
      states: () => new Map([['a', folderOf('a')]]),
      async readNote() {
        if (!isReadable) throw new Error('EMFILE');
        return await Promise.resolve({ interfaces: [], startTime });
      },
      async writeNote(_uid, note) {
        written.push(note);
        return await Promise.resolve(true);
      },
    },
  });
  agent.node.plan = emptyPlan;
  const reports = agent.follow();
  await until(() => reports.isSynced(), { what: 'everything to be told' });
  expect(reports.of('a')).toBeUndefined();
  isReadable = true;
  agent.changed();
  await reports.inPhase('a', 'Capturing');
  expect(reports.of('a')?.status.startTime).toBe(startTime);
  await until(() => written.length > 0, { what: 'the note' });
  expect(new Set(written.map((note) => note.startTime))).toEqual(new Set([startTime]));
});

test('deletions are kept for the next agent: written once each, and removed when the last one is forgotten', async () => {
  await using agent = await reportingAgent();
  const { node } = agent;
  node.plan = emptyPlan;
  node.states = [stateOf('a'), stateOf('b')];
  const reports = agent.follow();
  await reports.inPhase('b', 'Capturing');
  expect(node.deletionWrites).toBe(0);
  node.states = [stateOf('b')];
  agent.changed();
  await until(() => reports.of('a') === undefined, { what: 'the deletion' });
  // It is written before hubs are told.
  expect(node.deleted).toMatchObject([{ uid: 'a', namespace: 'shop', name: 'a', atMs: 0 }]);
  node.states = [stateOf('b', 'paused')];
  agent.changed();
  await reports.inPhase('b', 'Paused');
  expect(node.deletionWrites).toBe(1);
  node.nowMs = 600_000;
  agent.changed();
  await until(() => node.deletionWrites === 2, { what: 'the file to be removed' });
  expect(node.deleted).toEqual([]);
});

test('what an earlier agent has deleted is told as it was then, unless it is there again', async () => {
  const deletedAt = '2026-01-01T00:00:00Z';
  const before = ['a', 'gone'].map((uid) => ({ namespace: 'shop', name: uid, uid, deletedAt, atMs: 0 }));
  await using agent = await reportingAgent({
    deletions: { read: async () => await Promise.resolve(before), write: async () => {} },
  });
  agent.node.plan = emptyPlan;
  const reports = agent.follow();
  await reports.inPhase('a', 'Capturing');
  await until(() => reports.isSynced(), { what: 'everything to be told' });
  expect(reports.lines.filter(({ kind }) => kind === 'deleted')).toEqual([
    { kind: 'deleted', namespace: 'shop', name: 'gone', uid: 'gone', deletedAt },
  ]);
});

test('a disk that neither has nor takes deletions is logged once, and hubs are told all the same', async () => {
  await using agent = await reportingAgent({
    deletions: {
      read: async () => await Promise.reject(new Error('EIO')),
      write: async () => await Promise.reject(new Error('ENOSPC')),
    },
  });
  agent.node.plan = emptyPlan;
  const reports = agent.follow();
  await reports.inPhase('a', 'Capturing');
  for (const uid of ['b', 'c']) {
    agent.node.states = [stateOf(uid)];
    agent.changed();
    await reports.inPhase(uid, 'Capturing');
  }
  expect(reports.lines.filter(({ kind }) => kind === 'deleted')).toHaveLength(2);
  const messages = agent.log.lines.map(({ message }) => message);
  expect(messages).toEqual([
    'failed to read the deletions of an earlier agent',
    'failed to write which recordings were deleted',
  ]);
});
