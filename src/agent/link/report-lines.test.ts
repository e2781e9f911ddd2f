import * as v from 'valibot';
import { expect, test } from 'vitest';
import { linkBounds, type ReportedRecording, reportLineSchema } from '../../link/protocol.ts';
import { reportLines } from './report-lines.ts';

const minute = 60_000;

function recording(uid: string, status: Partial<ReportedRecording['status']> = {}): ReportedRecording {
  return {
    namespace: 'shop',
    name: 'web',
    uid,
    status: {
      phase: 'Capturing',
      phaseSince: '2026-01-01T00:00:00Z',
      startTime: '2026-01-01T00:00:00Z',
      interfaces: ['eth0'],
      requestedBy: { kind: 'Annotation' },
      files: 1,
      bytes: 1,
      ...status,
    },
  };
}

function opened() {
  const lines = reportLines(() => '2026-01-02T00:00:00Z');
  const texts = () =>
    [...lines.entries.values()].map(({ line }) => v.parse(reportLineSchema, JSON.parse(line)));
  return { ...lines, texts };
}

test('a recording has one line, whose version is greater whenever it changes', () => {
  const lines = opened();
  expect(lines.update([recording('a'), recording('b')], 0)).toBe(true);
  const versionOf = (uid: string) => lines.entries.get(uid)?.version ?? 0;
  const before = versionOf('a');
  expect(lines.update([recording('a', { phase: 'Paused' }), recording('b')], 0)).toBe(true);
  expect(versionOf('a')).toBeGreaterThan(Math.max(before, versionOf('b')));
  // What changed last is at the end: a reader finds it there, whatever it has read.
  expect([...lines.entries.keys()]).toEqual(['b', 'a']);
});

test('packets are no change', () => {
  const lines = opened();
  lines.update([recording('a')], 0);
  expect(lines.update([recording('a', { files: 2, bytes: 99, packets: 7 })], 0)).toBe(false);
  expect(lines.update([recording('a', { frozen: [] })], 0)).toBe(true);
});

test('a deletion is told for 10 minutes, unless the recording comes again', () => {
  const lines = opened();
  lines.update([recording('a'), recording('b')], 0);
  expect(lines.update([], 0)).toBe(true);
  const deleted = { kind: 'deleted', namespace: 'shop', name: 'web', deletedAt: '2026-01-02T00:00:00Z' };
  expect(lines.texts()).toEqual([
    { ...deleted, uid: 'a' },
    { ...deleted, uid: 'b' },
  ]);
  lines.update([recording('b')], 9 * minute);
  lines.update([recording('b')], 10 * minute);
  expect(lines.texts()).toEqual([{ kind: 'recording', recording: recording('b') }]);
});

test('no more deletions than recordings are remembered', () => {
  const lines = opened();
  for (let round = 0; round < 3; round += 1) {
    const many = Array.from({ length: 1_500 }, (_, at) => recording(`${round}-${at}`));
    lines.update(many, 0);
  }
  lines.update([], 0);
  expect(lines.entries.size).toBe(linkBounds.recordings);
  expect(lines.entries.has('2-1499')).toBe(true);
});

/** As many as fit, the newest last. */
const most = Array.from({ length: linkBounds.recordings }, (_, at) =>
  recording(`${at}`, { startTime: startTime(at) }),
);

function startTime(at: number): string {
  return new Date(Date.UTC(2026, 0, 1) + at * 1_000).toISOString();
}

const newest = recording('newest', { startTime: startTime(linkBounds.recordings) });

test('what exceeds the bounds is left out, the oldest first, and is no deletion', () => {
  const lines = opened();
  lines.update(most, 0);
  expect(lines.leftOut()).toBe(0);
  lines.update([newest, ...most], 0);
  expect(lines.leftOut()).toBe(1);
  // A hub that has the oldest forgets it, and has room for the newest then.
  expect(lines.texts().slice(-2)).toEqual([
    { kind: 'leftOut', recordings: 1, uid: '0' },
    { kind: 'recording', recording: newest },
  ]);
  expect(lines.deleted()).toEqual([]);
  expect(lines.update([newest, ...most], 0)).toBe(false);
});

test('what was left out is told again once there is room, and its deletion is told', () => {
  const lines = opened();
  lines.update(most, 0);
  lines.update([newest, ...most], 0);
  lines.update(most, 0);
  expect(lines.leftOut()).toBe(0);
  expect(lines.texts().slice(-2)).toMatchObject([
    { kind: 'deleted', uid: 'newest' },
    { kind: 'recording', recording: { uid: '0' } },
  ]);
  lines.update([newest, ...most], 0);
  lines.update([newest, ...most.slice(1)], 0);
  expect(lines.texts().at(-1)).toMatchObject({ kind: 'deleted', uid: '0' });
});

test('what is never told needs no line', () => {
  const lines = opened();
  lines.update([newest, ...most], 0);
  expect(lines.leftOut()).toBe(1);
  expect(lines.entries.has('0')).toBe(false);
});

test('long labels of one namespace leave out nothing of another', () => {
  const lines = opened();
  const labels = Object.fromEntries(
    Array.from({ length: 100 }, (_, at) => [`${'k'.repeat(90)}${at}`, 'v'.repeat(60)]),
  );
  const long = Array.from({ length: 110 }, (_, at) => ({
    ...recording(`long-${at}`, { startTime: startTime(10_000 + at), message: 'x'.repeat(4_000) }),
    namespace: 'greedy',
    labels,
  }));
  const others = most.slice(0, 20);
  lines.update(others, 0);
  for (let at = 1; at <= long.length; at += 1) lines.update([...others, ...long.slice(0, at)], at);
  expect(lines.leftOut()).toBeGreaterThan(0);
  const told = lines.texts().flatMap((line) => (line.kind === 'recording' ? line.recording.uid : []));
  expect(told).toEqual(expect.arrayContaining(others.map(({ uid }) => uid)));
  expect(told).toContain('long-109');
});

test('all lines together have a bound', () => {
  const lines = opened();
  const message = 'x'.repeat(4_000);
  lines.update(
    Array.from({ length: 1_000 }, (_, at) => recording(`${at}`, { message })),
    0,
  );
  const bytes = [...lines.entries.values()].reduce((sum, { line }) => sum + line.length, 0);
  expect(bytes).toBeLessThanOrEqual(linkBounds.reportBytes);
  expect(bytes).toBeGreaterThan(linkBounds.reportBytes - 10_000);
  expect(lines.leftOut()).toBe(1_000 - lines.entries.size);
});

test('of more frozen rings than a line may have, the newest are told', () => {
  const lines = opened();
  const frozen = Array.from({ length: 100 }, (_, at) => ({
    number: at + 1,
    time: '2026-01-01T00:00:00Z',
    causes: Array.from({ length: 4 }, () => 'x'.repeat(500)),
    files: 1,
    bytes: 1,
  }));
  lines.update([recording('a', { frozen })], 0);
  const [line] = lines.texts();
  const told = line?.kind === 'recording' ? (line.recording.status.frozen ?? []) : [];
  expect(told.at(-1)?.number).toBe(100);
  expect(told.length).toBeGreaterThan(20);
  expect(lines.entries.get('a')?.line.length).toBeLessThanOrEqual(linkBounds.lineBytes);
});
