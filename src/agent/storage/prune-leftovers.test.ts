import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import {
  endedGeneration,
  makeRingFiles,
  pruningOf,
  ringFile,
  ringFolder,
  startGeneration,
} from '../testing/ring-folder.ts';

const megabyte = 1_000_000;

test('prunes the oldest files when newer ones fill the ring, and more when fewer files are asked for', async () => {
  await using folder = await temporaryFolder();
  const ring = ringFolder(folder.path);
  await endedGeneration(ring);
  await using pruning = pruningOf(ring, 3);
  await makeRingFiles(folder.path, 1, [megabyte, megabyte, megabyte, megabyte, 300_000]);
  pruning.prune();
  await until(async () => (await ringFilesIn(folder.path)).length === 3, { what: '3 files' });
  expect(await ringFilesIn(folder.path)).toEqual([2, 3, 4].map((index) => ringFile(1, index)));
  pruning.keep({ interfaces: ['eth0'], size: { files: 1, fileMegabytes: 1 } });
  await until(async () => (await ringFilesIn(folder.path)).length === 1, { what: '1 file' });
  expect(await ringFilesIn(folder.path)).toEqual([ringFile(1, 4)]);
});

test('leaves the files of a running tcpdump to its library, unless fewer are asked for', async () => {
  await using folder = await temporaryFolder();
  const ring = ringFolder(folder.path);
  await startGeneration(ring);
  await makeRingFiles(folder.path, 1, [9 * megabyte, 9 * megabyte, 9 * megabyte]);
  await pruneOnce(ring, 3);
  expect(await ringFilesIn(folder.path)).toEqual([0, 1, 2].map((index) => ringFile(1, index)));
  await pruneOnce(ring, 2);
  expect(await ringFilesIn(folder.path)).toEqual([1, 2].map((index) => ringFile(1, index)));
});

test('what an earlier agent of the same name was writing is complete: that agent is gone', async () => {
  await using folder = await temporaryFolder();
  await startGeneration(ringFolder(folder.path));
  await makeRingFiles(folder.path, 1, [megabyte, megabyte]);
  const ring = ringFolder(folder.path);
  await startGeneration(ring);
  await makeRingFiles(folder.path, 2, [megabyte, megabyte, 24]);
  await pruneOnce(ring, 3);
  expect(await ringFilesIn(folder.path)).toEqual(
    [
      [1, 1],
      [2, 0],
      [2, 1],
      [2, 2],
    ].map(([a = 0, b = 0]) => ringFile(a, b)),
  );
});

test('prunes what an earlier agent left, and only capture files', async () => {
  await using folder = await temporaryFolder();
  const others = ['capture.1.json', 'notes.txt', 'captres-web.pcap1'];
  for (const name of others) await writeFile(join(folder.path, name), '');
  await makeRingFiles(folder.path, 1, [megabyte, megabyte]);
  await mkdir(join(folder.path, 'subfolder'));
  await pruneOnce(ringFolder(folder.path), 1);
  expect((await readdir(folder.path)).toSorted()).toEqual(
    [...others, ringFile(1, 1), 'subfolder'].toSorted(),
  );
});

test('keeps what was written last, whatever the files say about when', async () => {
  await using folder = await temporaryFolder();
  await makeRingFiles(
    folder.path,
    1,
    Array.from({ length: 20 }, () => megabyte),
  );
  // The clock was set back after index 4.
  for (let index = 0; index < 20; index += 1)
    await utimes(join(folder.path, ringFile(1, index)), 0, index <= 4 ? 100 + index : index);
  await pruneOnce(ringFolder(folder.path), 3);
  expect(await ringFilesIn(folder.path)).toEqual([17, 18, 19].map((index) => ringFile(1, index)));
});

test('counts the packets of what it deletes', async () => {
  await using folder = await temporaryFolder();
  for (let index = 0; index < 3; index += 1)
    await writeFile(join(folder.path, ringFile(1, index)), pcapOf({ packets: 10 + index, bytes: megabyte }));
  const pruning = pruningOf(ringFolder(folder.path), 1);
  await pruning[Symbol.asyncDispose]();
  expect(await ringFilesIn(folder.path)).toEqual([ringFile(1, 2)]);
  expect(pruning.takePruned('eth0')).toBe(10 + 11);
  expect(pruning.takePruned('eth0')).toBe(0);
});

test('each interface has a ring of its own, also among the starts of the others', async () => {
  await using folder = await temporaryFolder();
  const ring = ringFolder(folder.path);
  await endedGeneration(ring, 'eth0');
  await endedGeneration(ring, 'lo');
  await endedGeneration(ring, 'eth0');
  await makeRingFiles(folder.path, 1, [megabyte, megabyte, megabyte]);
  await makeRingFiles(folder.path, 2, [megabyte, 500_000]);
  await makeRingFiles(folder.path, 3, [megabyte, megabyte]);
  await pruneOnce(ring, 3, ['eth0', 'lo']);
  expect(await ringFilesIn(folder.path)).toEqual(
    [
      [1, 2],
      [2, 0],
      [2, 1],
      [3, 0],
      [3, 1],
    ].map(([a = 0, b = 0]) => ringFile(a, b)),
  );
});

test('files of an interface that is not asked for any more are in the first ring, and are pushed out by it', async () => {
  await using folder = await temporaryFolder();
  const ring = ringFolder(folder.path);
  await endedGeneration(ring, 'lo');
  await endedGeneration(ring, 'eth0');
  await endedGeneration(ring, 'net1');
  await makeRingFiles(folder.path, 1, [megabyte, megabyte, megabyte]);
  await makeRingFiles(folder.path, 2, [megabyte, megabyte]);
  await makeRingFiles(folder.path, 3, [megabyte, megabyte, megabyte]);
  await pruneOnce(ring, 3, ['eth0', 'net1']);
  expect(await ringFilesIn(folder.path)).toEqual(
    [
      [1, 2],
      [2, 0],
      [2, 1],
      [3, 0],
      [3, 1],
      [3, 2],
    ].map(([a = 0, b = 0]) => ringFile(a, b)),
  );
});

test('counts what it deletes for the ring of its interface, and for the first one if that is asked for no more', async () => {
  await using folder = await temporaryFolder();
  const ring = ringFolder(folder.path);
  await endedGeneration(ring, 'eth0');
  await endedGeneration(ring, 'lo');
  for (const [generation, packets] of [
    [1, 10],
    [2, 20],
  ] as const)
    for (let index = 0; index < 2; index += 1)
      await writeFile(
        join(folder.path, ringFile(generation, index)),
        pcapOf({ packets: packets + index, bytes: megabyte }),
      );
  const pruning = pruningOf(ring, 1, ['eth0', 'lo']);
  await pruning[Symbol.asyncDispose]();
  expect(pruning.takePruned('lo')).toBe(20);
  pruning.keep({ interfaces: ['lo'], size: { files: 1, fileMegabytes: 1 } });
  expect(pruning.takePruned('eth0')).toBe(0);
  await pruning.settled();
  // The rest of eth0 is older than the file of lo.
  expect(pruning.takePruned('lo')).toBe(10 + 11);
});

async function pruneOnce(...ring: Parameters<typeof pruningOf>): Promise<void> {
  await pruningOf(...ring)[Symbol.asyncDispose]();
}

async function ringFilesIn(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => /^captres-web\.[0-9]/.test(name)).toSorted();
}

/** A capture file with that many packets, of at least that many bytes. */
function pcapOf({ packets, bytes }: { readonly packets: number; readonly bytes: number }): Buffer {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(262_144, 16);
  header.writeUInt32LE(1, 20);
  const packet = Buffer.alloc(16 + Math.ceil(bytes / packets));
  packet.writeUInt32LE(packet.length - 16, 8);
  packet.writeUInt32LE(packet.length - 16, 12);
  return Buffer.concat([header, ...Array.from({ length: packets }, () => packet)]);
}
