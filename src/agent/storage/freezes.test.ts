import { chown, lstat, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { packets, readScene, web } from '../../commands/testing/read-scene.ts';
import { captureFile } from '../../pcap/testing/capture-files.ts';
import { openCaptureFolders } from './capture-folders.ts';
import { readRecord } from './capture-records.ts';
import { ringFileBase, ringFileName } from './file-names.ts';
import type { FreezeCause } from './freeze-records.ts';
import { type NotedMoments, ringInFreezing } from './freezes.ts';
import { allRings, openRecordingSnapshot } from './recording-snapshot.ts';
import { readRecording } from './recordings.ts';

const boot = { nowMs: () => 60_000, bootId: 'boot' };
const crash: FreezeCause = { trigger: 'restart', container: 'app', exitCode: 1, reason: 'Error' };
const end = { endTime: '2026-01-01T00:00:00.000Z' };
const { uid } = web;

function logOf(notFrozen = 0, lastEnd = 'run-1'): NotedMoments {
  const containers = [{ name: 'app', restarts: 0, isReady: false, lastEnd }];
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
  const { record } = (await freezes.setAside(uid, { deletesSurplus: true })) ?? {};
  expect(await scene.frozen(1)).toEqual(
    ['capture.1.json', 'capture.2.json', file(1), file(2), 'frozen.json'].toSorted(),
  );
  expect(await scene.stored()).toEqual(
    ['capture.1.json', 'capture.2.json', 'capture.3.json', file(3), 'frozen-1'].toSorted(),
  );
  expect(record).toMatchObject({
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
  expect(state?.log).toMatchObject(logOf());
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
  const deleted: number[] = [];
  for (let generation = 3; generation <= 7; generation += 1) {
    await freezes.begin(uid, { causes: [crash], log: logOf(), replacesNewest: false });
    const { deleted: pruned = [] } = (await freezes.setAside(uid, { deletesSurplus: true })) ?? {};
    deleted.push(...pruned.map((each) => each.get('eth0') ?? 0));
    await scene.file({ generation, index: 0, packets: packets(10 * generation, generation) });
    await scene.record({ generation, ...end });
  }
  const state = scene.folders.states().get(uid)?.freezes;
  expect(state?.rings.map(({ record }) => record.number)).toEqual([1, 4, 5]);
  expect(deleted).toEqual([3, 4]);
});

test('adds later causes to the ring that is being frozen, and notes what was not frozen', async () => {
  await using scene = await freezeScene();
  const { freezes } = scene.folders;
  await freezes.begin(uid, { causes: [crash], log: logOf(), replacesNewest: false });
  const failed: FreezeCause = { trigger: 'failed' };
  await freezes.note(uid, logOf(), [failed]);
  expect((await freezes.setAside(uid, { deletesSurplus: true }))?.record.causes).toEqual([crash, failed]);
  await freezes.note(uid, logOf(3));
  expect((await scene.open()).states().get(uid)?.freezes.log).toMatchObject(logOf(3));
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
    expect((await freezes.setAside(uid, { deletesSurplus: true }))?.record.number).toBe(2);
    expect((await lstat(join(scene.pathOf(), 'frozen-2'))).mode & 0o777).toBe(0o700);
  },
);

test('what is written once has both the causes and what was taken into account', async () => {
  await using scene = await freezeScene();
  await scene.folders.freezes.begin(uid, { causes: [crash], log: logOf(2), replacesNewest: false });
  // The agent is killed before it writes anything else.
  await rm(join(scene.pathOf(), 'freezes.json'), { force: true });
  expect((await scene.open()).states().get(uid)?.freezes.log).toMatchObject(logOf(0));
});

test('two agents that see the same moment freeze once, and set aside once', async () => {
  await using scene = await freezeScene();
  const [first, second] = [scene.folders, await scene.open()];
  const begun = { causes: [crash], log: logOf(), replacesNewest: false };
  await first.freezes.begin(uid, begun);
  await second.freezes.begin(uid, begun);
  expect(await scene.stored()).not.toContain('frozen-2');
  const known = second.states().get(uid)?.freezes;
  expect(known && ringInFreezing(known)?.record.number).toBe(1);
  expect(await first.freezes.setAside(uid, { deletesSurplus: true })).toBeDefined();
  expect(await second.freezes.setAside(uid, { deletesSurplus: true })).toBeUndefined();
  // Nothing is noted from an outdated look either.
  await second.freezes.note(uid, logOf(1, 'run-2'));
  await first.freezes.note(uid, logOf(9, 'run-0'));
  expect((await scene.open()).states().get(uid)?.freezes.log).toMatchObject(logOf(1, 'run-2'));
});

test('a container with the name of a property is known like any other', async () => {
  await using scene = await freezeScene();
  const containers = ['constructor', '__proto__', 'prototype'].map((name) => ({
    name,
    restarts: 0,
    isReady: true,
  }));
  const noted = { seen: { bootId: 'boot', phase: 'Running', containers }, notFrozen: 0 };
  await scene.folders.freezes.note(uid, noted);
  expect((await scene.open()).states().get(uid)?.freezes.log).toMatchObject(noted);
});

test.skipIf(process.geteuid?.() !== 0)(
  "folders of tcpdump's user in the place of files block nothing",
  async () => {
    await using scene = await freezeScene();
    await mkdir(join(scene.pathOf(), 'freezes.json.new'));
    const { freezes } = scene.folders;
    await freezes.note(uid, logOf());
    await freezes.begin(uid, { causes: [crash], log: logOf(0, 'run-2'), replacesNewest: false });
    await freezes.setAside(uid, { deletesSurplus: true });
    await mkdir(join(scene.pathOf(), 'frozen-1', file(1, 7)));
    await writeFile(join(scene.pathOf(), 'frozen-1', file(1, 7), 'x'), '');
    await scene.folders.remove(uid);
    expect(await scene.stored()).toEqual(['freezes.json.new', 'frozen-1']);
    expect(await scene.frozen(1)).toEqual([file(1, 7)]);
  },
);

test('while a ring is being set aside, it is read without --frozen, wherever its files are', async () => {
  await using scene = await freezeScene();
  await scene.folders.freezes.begin(uid, { causes: [crash], log: logOf(), replacesNewest: false });
  const move = (name: string) => rename(join(scene.pathOf(), name), join(scene.pathOf(), 'frozen-1', name));
  await move(file(1));
  await scene.file({ generation: 3, index: 0, packets: packets(20, 5) });
  await scene.record({ generation: 3 });
  const read = async (...args: readonly string[]) =>
    (await scene.read(['default/web', '--format', 'pcap', ...args])).stdout;
  expect(await read()).toEqual(captureFile(packets(0, 25)));
  expect(await read('--frozen', 'all')).toEqual(captureFile(packets(0, 25)));
  const one = await scene.read(['default/web', '--frozen', '1']);
  expect(one.stderr).toContain('ring 1 is still being frozen: until then it is part of the ring itself');
});

test('a recording is opened again when a ring is set aside between listing and opening', async () => {
  await using scene = await freezeScene();
  await scene.folders.freezes.begin(uid, { causes: [crash], log: logOf(), replacesNewest: false });
  const listed = await readRecording(scene.pathOf(), web);
  await scene.folders.freezes.setAside(uid, { deletesSurplus: true });
  if (!listed) throw new Error('no recording');
  await using snapshot = await openRecordingSnapshot(listed, allRings);
  expect(snapshot.sources.map(({ generation }) => generation)).toEqual([1, 2]);
});
