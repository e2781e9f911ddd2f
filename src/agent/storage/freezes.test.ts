import { chown, lstat, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { packets, readScene, web } from '../../commands/testing/read-scene.ts';
import { captureFile } from '../../pcap/testing/capture-files.ts';
import { openCaptureFolders } from './capture-folders.ts';
import { readRecord } from './capture-records.ts';
import { ringFileBase, ringFileName } from './file-names.ts';
import type { FreezeCause, FreezeLog } from './freeze-records.ts';
import { ringInFreezing } from './freezes.ts';

const boot = { nowMs: () => 60_000, bootId: 'boot' };
const crash: FreezeCause = { trigger: 'restart', container: 'app', exitCode: 1, reason: 'Error' };
const end = { endTime: '2026-01-01T00:00:00.000Z' };
const { uid } = web;

function logOf(notFrozen = 0): FreezeLog {
  const containers = { app: { restarts: 0, isReady: false, lastEnd: 'run-1' } };
  return { seen: { bootId: 'boot', phase: 'Running', containers }, notFrozen };
}

/** A Pod with two ended captures, of 10 packets each, and the folders as an agent opens them. */
async function freezeScene() {
  const scene = await readScene();
  await scene.file({ generation: 1, index: 0, packets: packets(0, 10) });
  await scene.file({ generation: 2, index: 0, packets: packets(10, 10) });
  for (const generation of [1, 2]) await scene.record({ generation, ...end });
  const open = () =>
    openCaptureFolders({
      root: scene.path,
      groupId: process.getgid?.() ?? 0,
      agent: 'podcap-1',
      clock: boot,
      log: pino({ level: 'silent' }),
    });
  const stored = async () => (await readdir(scene.pathOf())).toSorted();
  const frozen = async (number: number) =>
    (await readdir(join(scene.pathOf(), `frozen-${number}`))).toSorted();
  return { ...scene, open, stored, frozen, folders: await open() };
}

const file = (generation: number, index = 0) => ringFileName(ringFileBase(web.pod, generation), index);

test('sets the ring aside as it was at the trigger, with the records of its captures', async () => {
  await using scene = await freezeScene();
  const { freezes } = scene.folders;
  await freezes.begin(uid, { causes: [crash], log: logOf(2), replacesNewest: false });
  await scene.file({ generation: 3, index: 0, packets: packets(18, 10) });
  await scene.record({ generation: 3 });
  const { ring } = (await freezes.setAside(uid, { deletesSurplus: true })) ?? {};
  expect(await scene.frozen(1)).toEqual(
    ['capture.1.json', 'capture.2.json', file(1), file(2), 'frozen.json'].toSorted(),
  );
  expect(await scene.stored()).toEqual(
    ['capture.1.json', 'capture.2.json', 'capture.3.json', file(3), 'freezes.json', 'frozen-1'].toSorted(),
  );
  expect(ring?.record).toMatchObject({
    number: 1,
    upTo: 2,
    causes: [crash],
    notFrozenBefore: 2,
    frozen: { packets: 20, first: '2023-11-14T22:13:20.000Z', last: '2023-11-14T22:13:20.019Z' },
  });
  const whole = ['default/web', '--format', 'pcap'];
  expect((await scene.read([...whole, '--frozen', '1'])).stdout).toEqual(captureFile(packets(0, 20)));
  expect((await scene.read(whole)).stdout).toEqual(captureFile(packets(18, 10)));
  // Both have packets 18 and 19.
  expect((await scene.read([...whole, '--frozen', 'all'])).stdout).toEqual(captureFile(packets(0, 28)));
});

test('an agent that starts in the middle finds what is to be set aside, and finishes it', async () => {
  await using scene = await freezeScene();
  await scene.folders.freezes.begin(uid, { causes: [crash], log: logOf(), replacesNewest: false });
  const next = await scene.open();
  const state = next.states().get(uid)?.freezes;
  expect(state?.log).toEqual(logOf());
  expect(state && ringInFreezing(state)?.record.causes).toEqual([crash]);
  await next.freezes.setAside(uid, { deletesSurplus: true });
  expect(await scene.frozen(1)).toHaveLength(5);
  expect(await next.freezes.setAside(uid, { deletesSurplus: true })).toBeUndefined();
});

test('waits for the captures of another agent', async () => {
  await using scene = await freezeScene();
  const { endTime: _end, ...record } = (await readRecord(scene.pathOf(), 2)) ?? {};
  const other = { ...record, agent: 'podcap-2', clock: { bootId: 'boot', startMs: 0, lastMs: 59_000 } };
  await writeFile(join(scene.pathOf(), 'capture.2.json'), JSON.stringify(other));
  const { freezes } = scene.folders;
  await freezes.begin(uid, { causes: [crash], log: logOf(), replacesNewest: false });
  await expect(freezes.setAside(uid, { deletesSurplus: true })).rejects.toThrow(
    'agent podcap-2 has not ended its capture 2 yet',
  );
});

test('keeps the first ring and the newest ones, three at most, and counts what was deleted', async () => {
  await using scene = await freezeScene();
  const { freezes } = scene.folders;
  let deleted = 0;
  for (let generation = 3; generation <= 7; generation += 1) {
    await freezes.begin(uid, { causes: [crash], log: logOf(), replacesNewest: false });
    deleted += (await freezes.setAside(uid, { deletesSurplus: true }))?.deleted ?? 0;
    await scene.file({ generation, index: 0, packets: packets(10 * generation, generation) });
    await scene.record({ generation, ...end });
  }
  const state = scene.folders.states().get(uid)?.freezes;
  expect(state?.rings.map(({ record }) => record.number)).toEqual([1, 4, 5]);
  expect(deleted).toBe(3 + 4);
});

test('adds later causes to the ring that is being frozen, and notes what was not frozen', async () => {
  await using scene = await freezeScene();
  const { freezes } = scene.folders;
  await freezes.begin(uid, { causes: [crash], log: logOf(), replacesNewest: false });
  const failed: FreezeCause = { trigger: 'failed' };
  await freezes.note(uid, logOf(), [failed]);
  expect((await freezes.setAside(uid, { deletesSurplus: true }))?.ring.record.causes).toEqual([
    crash,
    failed,
  ]);
  await freezes.note(uid, logOf(3));
  expect((await scene.open()).states().get(uid)?.freezes.log).toEqual(logOf(3));
});

test('frozen rings count as stored, and are deleted with the folder', async () => {
  await using scene = await freezeScene();
  const { freezes } = scene.folders;
  await freezes.begin(uid, { causes: [crash], log: logOf(), replacesNewest: false });
  await freezes.setAside(uid, { deletesSurplus: true });
  await scene.folders.measure(uid);
  const bytes = 2 * (24 + 10 * (16 + 8)) + 10;
  expect(scene.folders.states().get(uid)).toMatchObject({
    files: 2,
    bytes,
    frozenBytes: bytes,
    largestBytes: 0,
  });
  await scene.folders.remove(uid);
  expect(await readdir(scene.path)).toEqual([]);
});

test.skipIf(process.geteuid?.() !== 0)(
  "a folder of tcpdump's user is no frozen ring, and takes no number",
  async () => {
    await using scene = await freezeScene();
    const forged = join(scene.pathOf(), 'frozen-1');
    await mkdir(forged);
    await writeFile(join(forged, 'frozen.json'), '{}');
    await chown(forged, 10_001, 10_001);
    const { freezes } = scene.folders;
    await freezes.begin(uid, { causes: [crash], log: logOf(), replacesNewest: false });
    expect((await freezes.setAside(uid, { deletesSurplus: true }))?.ring.record.number).toBe(2);
    expect((await lstat(join(scene.pathOf(), 'frozen-2'))).mode & 0o777).toBe(0o700);
  },
);
