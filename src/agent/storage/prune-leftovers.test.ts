import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { startLeftoverPruning } from './prune-leftovers.ts';

const log = pino({ level: 'silent' });
const file = (generation: number, index: number) => ({
  name: `captres-web.${generation}.pcap${String(index).padStart(9, '0')}`,
  generation,
  index,
});

test('keeps the newest N files when a file appears, and fewer when N becomes smaller', async () => {
  await using folder = await temporaryFolder();
  await using pruning = startLeftoverPruning({ folder: folder.path, files: 3, log });
  for (let index = 0; index < 5; index += 1) await writeFile(join(folder.path, file(1, index).name), '');
  pruning.prune();
  await until(async () => (await readdir(folder.path)).length === 3, { what: '3 files' });
  expect((await readdir(folder.path)).toSorted()).toEqual([2, 3, 4].map((index) => file(1, index).name));
  pruning.keep(1);
  await until(async () => (await readdir(folder.path)).length === 1, { what: '1 file' });
  expect(await readdir(folder.path)).toEqual([file(1, 4).name]);
});

test('prunes what an earlier agent left, and only capture files', async () => {
  await using folder = await temporaryFolder();
  const others = ['capture.1.json', 'notes.txt', 'captres-web.pcap1'];
  for (const name of [...others, file(1, 8).name, file(1, 9).name])
    await writeFile(join(folder.path, name), '');
  await mkdir(join(folder.path, 'subfolder'));
  {
    await using _pruning = startLeftoverPruning({ folder: folder.path, files: 1, log });
  }
  expect((await readdir(folder.path)).toSorted()).toEqual(
    [...others, file(1, 9).name, 'subfolder'].toSorted(),
  );
});

test('keeps what was written last, whatever the files say about when', async () => {
  await using folder = await temporaryFolder();
  for (let index = 0; index < 20; index += 1) {
    const path = join(folder.path, file(1, index).name);
    await writeFile(path, '');
    // The clock was set back after index 4.
    await utimes(path, 0, index <= 4 ? 100 + index : index);
  }
  {
    await using _pruning = startLeftoverPruning({ folder: folder.path, files: 3, log });
  }
  expect((await readdir(folder.path)).toSorted()).toEqual([17, 18, 19].map((index) => file(1, index).name));
});

test('counts the packets of what it deletes', async () => {
  await using folder = await temporaryFolder();
  const pruning = startLeftoverPruning({ folder: folder.path, files: 1, log });
  for (let index = 0; index < 3; index += 1)
    await writeFile(join(folder.path, file(1, index).name), pcapOf(10 + index));
  await pruning[Symbol.asyncDispose]();
  expect(await readdir(folder.path)).toEqual([file(1, 2).name]);
  expect(pruning.takePruned()).toBe(10 + 11);
  expect(pruning.takePruned()).toBe(0);
});

/** A capture file with that many empty packets. */
function pcapOf(packets: number): Buffer {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(262_144, 16);
  header.writeUInt32LE(1, 20);
  const packet = Buffer.alloc(17);
  packet.writeUInt32LE(1, 8);
  packet.writeUInt32LE(1, 12);
  return Buffer.concat([header, ...Array.from({ length: packets }, () => packet)]);
}
