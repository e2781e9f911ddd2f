import { expect, test } from 'vitest';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { type CaptureRecord, createRecord, noTotals, replaceRecord } from '../storage/capture-records.ts';
import { gapBefore, missedBefore, noGap, settleGap } from './missed-packets.ts';

const before: CaptureRecord = {
  version: 2,
  namespace: 'default',
  pod: 'web',
  uid: 'uid-1',
  generation: 3,
  agent: 'podcap-1',
  sandboxId: 'sandbox1',
  interface: 'eth0',
  fileMegabytes: 1,
  startTime: '2026-01-01T00:00:00Z',
  clock: { bootId: 'boot-1', startMs: 0, lastMs: 1_000 },
  interfacePackets: 100,
  totals: noTotals,
  forgotten: noTotals,
};
const ended = { ...before, endTime: '2026-01-01T00:01:00Z' };

test('without a previous capture, everything that the interface counted was missed', () => {
  expect(gapBefore({ unsettled: undefined, before: undefined }, 42)).toEqual({ kind: 'known', missed: 42 });
  expect(gapBefore({ unsettled: undefined, before: undefined }, undefined)).toEqual({
    kind: 'known',
    missed: 0,
  });
});

test('after a capture that ended, what the interface has counted since was missed', () => {
  expect(gapBefore({ unsettled: undefined, before: ended }, 130)).toEqual({ kind: 'known', missed: 30 });
  expect(gapBefore({ unsettled: undefined, before: ended }, 90)).toEqual({ kind: 'known', missed: 0 });
});

test('a previous capture that runs until this one has started leaves no gap', async () => {
  await using folder = await temporaryFolder();
  const unknown = gapBefore({ unsettled: undefined, before }, 130);
  await createRecord(folder.path, before);
  expect(await settleGap(folder.path, unknown, 15_000)).toBe(unknown);
  const later = { ...before.clock, lastMs: 16_000 };
  await replaceRecord(folder.path, { ...before, clock: later, interfacePackets: 140 });
  expect(await settleGap(folder.path, unknown, 15_000)).toEqual(noGap);
  await replaceRecord(folder.path, { ...ended, clock: later, interfacePackets: 150 });
  expect(await settleGap(folder.path, unknown, 15_000)).toEqual(noGap);
});

test('a previous capture that had ended, and records that only now, leaves the gap in between', async () => {
  await using folder = await temporaryFolder();
  const unknown = gapBefore({ unsettled: undefined, before }, 130);
  await createRecord(folder.path, {
    ...ended,
    clock: { ...before.clock, lastMs: 2_000 },
    interfacePackets: 110,
  });
  expect(await settleGap(folder.path, unknown, 1_000)).toEqual({ kind: 'known', missed: 20 });
});

test('a previous capture that stops updating its record is dead, and what passed since then was missed', async () => {
  await using folder = await temporaryFolder();
  await createRecord(folder.path, before);
  expect(await settleGap(folder.path, gapBefore({ unsettled: undefined, before }, 130), 30_000)).toEqual({
    kind: 'known',
    missed: 30,
  });
});

test('a previous capture that was killed before it knew its own gap leaves that gap to this one', () => {
  const killedEarly = { ...before, missedIfDead: 7 };
  expect(gapBefore({ unsettled: undefined, before: killedEarly }, 130)).toMatchObject({
    kind: 'unknown',
    missedIfDead: 37,
  });
  expect(
    gapBefore({ unsettled: undefined, before: { ...killedEarly, endTime: ended.endTime } }, 130),
  ).toEqual({
    kind: 'known',
    missed: 30,
  });
});

test('so does a capture of another sandbox that was killed before it knew its own gap', async () => {
  await using folder = await temporaryFolder();
  const unsettled = { ...before, sandboxId: 'sandbox0', missedIfDead: 7 };
  await createRecord(folder.path, unsettled);
  const unknown = gapBefore({ before: undefined, unsettled }, 42);
  expect(unknown).toMatchObject({ kind: 'unknown', missedIfDead: 49 });
  expect(await settleGap(folder.path, unknown, 15_000)).toBe(unknown);
  expect(await settleGap(folder.path, unknown, 30_000)).toEqual({ kind: 'known', missed: 49 });
  // It was alive, and has counted its own gap.
  await replaceRecord(folder.path, { ...unsettled, missedIfDead: 0 });
  expect(await settleGap(folder.path, unknown, 30_000)).toEqual({ kind: 'known', missed: 42 });
});

test.each([
  [noGap, { isFirst: false, isSettled: true }, { kind: 'gap', packets: 0, isSettled: true }],
  [
    { kind: 'known', missed: 8 },
    { isFirst: true, isSettled: false },
    { kind: 'first', packets: 8 },
  ],
  [
    gapBefore({ unsettled: undefined, before }, 130),
    { isFirst: false, isSettled: false },
    { kind: 'unknown' },
  ],
] as const)('the gap %j of a start %j is reported as %j', (gap, start, reported) => {
  expect(missedBefore(gap, start)).toEqual(reported);
});
