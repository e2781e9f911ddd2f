import { mkdir, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { packets, readScene, web } from '../../commands/testing/read-scene.ts';
import { openCaptureFolders } from './capture-folders.ts';
import { type CaptureRecord, newRecord, noTotals, readRecord } from './capture-records.ts';
import { recounted, type StoredPackets } from './dead-captures.ts';
import { ringFileBase, ringFileName } from './file-names.ts';
import type { FreezeCause } from './freeze-records.ts';

const boot = { nowMs: () => 60_000, bootId: 'boot' };
const started = newRecord({
  pod: { namespace: web.namespace, name: web.pod, uid: web.uid },
  generation: 1,
  parameters: { agent: 'podcap-1', interface: 'eth0', sandboxId: 'sandbox1', fileMegabytes: 1 },
  forgotten: noTotals,
  clock: boot,
});

/** Three files of 10 packets, of which one was deleted, and 5 packets in the fourth. */
const counted: CaptureRecord = {
  ...started,
  files: { started: 4, packets: 30, pruned: 10 },
  totals: { ...noTotals, captured: 35, pruned: 17 },
};
const whole = { hasFiles: true, isWhole: true };

describe('from what is left of the files of a capture whose agent died', () => {
  test.each<[string, CaptureRecord, StoredPackets, Partial<CaptureRecord['totals']>]>([
    [
      'what it captured before its first count is known',
      started,
      { before: 0, since: 8, ...whole },
      { captured: 8, pruned: 0 },
    ],
    [
      'nothing changes if it captured nothing since',
      counted,
      { before: 20, since: 5, ...whole },
      { captured: 35, pruned: 17, lostAtStop: 0 },
    ],
    [
      'what it captured since is known',
      counted,
      { before: 20, since: 17, ...whole },
      { captured: 47, pruned: 17 },
    ],
    [
      'what its tcpdump deleted since is known, as long as that was complete then',
      counted,
      { before: 10, since: 17, ...whole },
      { captured: 47, pruned: 27 },
    ],
    [
      'what was captured and deleted since counts neither as captured nor as pruned',
      counted,
      { before: 0, since: 12, hasFiles: true, isWhole: false },
      { captured: 42, pruned: 37 },
    ],
    [
      'what was counted then and is deleted counts as pruned',
      counted,
      { before: 0, since: 2, hasFiles: true, isWhole: false },
      { captured: 35, pruned: 40 },
    ],
    [
      'what had been counted and is in no file was lost',
      counted,
      { before: 20, since: 2, ...whole },
      { captured: 32, pruned: 17, lostAtStop: 3 },
    ],
    [
      'nothing is counted of one that had captured nothing and has no file',
      started,
      { before: 0, since: 0, hasFiles: false, isWhole: false },
      { captured: 0 },
    ],
  ])('%s', (_what, record, stored, totals) => {
    const corrected = recounted(record, stored);
    expect(corrected).toMatchObject({ recount: 'done', clock: record.clock, totals });
    const prunedElsewhere = record.totals.pruned - (record.files?.pruned ?? 0);
    expect(corrected.totals.captured - (corrected.totals.pruned - prunedElsewhere)).toBe(
      stored.before + stored.since,
    );
  });

  test.each<[string, CaptureRecord, StoredPackets | undefined]>([
    ['if somebody has deleted all files', counted, { before: 0, since: 0, hasFiles: false, isWhole: false }],
    ['if there are more packets than there can be', counted, { before: 21, since: 5, ...whole }],
    ['if the files could not be read', counted, undefined],
    [
      'if the record does not say what was in files',
      { ...counted, files: undefined },
      { before: 20, since: 5, ...whole },
    ],
  ])('it remains unknown %s', (_when, record, stored) => {
    expect(recounted(record, stored)).toEqual({ ...record, recount: 'unknown' });
  });
});

/**
 * The folder of a capture that was to have one packet in a file when its record was written, and has 10. An agent
 * has opened it before that, and counts nothing by itself.
 */
async function deadScene() {
  const scene = await readScene();
  await mkdir(scene.pathOf());
  let nowMs = 60_000;
  const folders = await openCaptureFolders({
    root: scene.path,
    groupId: process.getgid?.() ?? 0,
    agent: 'podcap-1',
    clock: { bootId: 'boot', nowMs: () => nowMs },
    log: pino({ level: 'silent' }),
  });
  await scene.file({ generation: 1, index: 0, packets: packets(0, 10) });
  await scene.record({
    ...started,
    files: { started: 1, packets: 0, pruned: 0 },
    agent: 'podcap-2',
    clock: { bootId: 'boot', startMs: 0, lastMs: 50_000 },
    totals: { ...noTotals, captured: 1 },
  });
  return {
    ...scene,
    folders,
    record: async () => await readRecord(scene.pathOf(), 1),
    dies: () => {
      nowMs = 80_000;
    },
    async setAside(): Promise<CaptureRecord | undefined> {
      const causes: FreezeCause[] = [{ trigger: 'restart', container: 'app', exitCode: 1, reason: 'Error' }];
      const log = { seen: { bootId: 'boot', phase: 'Running', containers: [] }, notFrozen: 0 };
      await folders.freezes.begin(web.uid, { causes, log, replacesNewest: false });
      await folders.freezes.setAside(web.uid, { deletesSurplus: true });
      return await readRecord(join(scene.pathOf(), 'frozen-1'), 1);
    },
  };
}

test('before the ring is set aside, its packets are counted', async () => {
  await using scene = await deadScene();
  scene.dies();
  expect(await scene.setAside()).toMatchObject({ recount: 'done', totals: { captured: 10 } });
});

test('before the ring is removed, its packets are counted', async () => {
  await using scene = await deadScene();
  scene.dies();
  await scene.folders.removeRing(web.uid);
  expect(await scene.record()).toMatchObject({ recount: 'done', totals: { captured: 10, pruned: 10 } });
});

test('every half a minute, what dead agents have left is counted, and nothing of one that is alive', async () => {
  await using scene = await deadScene();
  await scene.folders.measureAll();
  expect(await scene.record()).not.toHaveProperty('recount');
  scene.dies();
  await scene.folders.measureAll();
  await until(async () => (await scene.record())?.recount === 'done', { what: 'the count' });
  expect(await scene.record()).toMatchObject({
    clock: { lastMs: 50_000 },
    totals: { captured: 10, pruned: 0 },
  });
});

test('more than 1 GB is not read for that', async () => {
  await using scene = await deadScene();
  const next = ringFileName(ringFileBase(web.pod, 1), 1);
  await scene.file({ generation: 1, index: 1, packets: [] });
  await truncate(join(scene.pathOf(), next), 1_000_000_001);
  scene.dies();
  expect(await scene.setAside()).toMatchObject({ recount: 'unknown' });
});
