import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../lab/folder.ts';
import { until } from '../lab/until.ts';
import { orderByAge, startRing } from './ring.ts';

const log = pino({ level: 'silent' });
const file = (generation: number, index: number) => ({
  name: `captres-web.${generation}.pcap${String(index).padStart(2, '0')}`,
  generation,
  index,
});

test.each([
  ['nothing', [], []],
  ['one file', [7], [7]],
  ['in the middle', [3, 4, 5], [3, 4, 5]],
  ['passing the last index', [18, 19, 0, 1], [18, 19, 0, 1]],
  ['after 0 came again alone', [0, 19, 18], [18, 19, 0]],
  ['with a file that somebody took away', [17, 19, 0, 1], [17, 19, 0, 1]],
])('orders by age: %s', (_what, indices, ordered) => {
  const files = indices.map((index) => file(1, index));
  expect(orderByAge(files, 20).map(({ index }) => index)).toEqual(ordered);
});

test('orders by generation first: a later start of tcpdump is later, whatever its index', () => {
  const files = [file(10, 0), file(9, 5), file(2, 19), file(2, 0)];
  expect(orderByAge(files, 20).map(({ generation, index }) => `${generation}.${index}`)).toEqual([
    '2.19',
    '2.0',
    '9.5',
    '10.0',
  ]);
});

test('a run of any length up to half the circle is put in order from any start', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 100 }), fc.nat(199), fc.nat(), (length, start, shuffle) => {
      const run = Array.from({ length }, (_, i) => file(1, (start + i) % 200));
      const mixed = [...run.slice(shuffle % length), ...run.slice(0, shuffle % length)];
      expect(orderByAge(mixed, 200)).toEqual(run);
    }),
  );
});

test('keeps the newest N files when a file appears, and fewer when N changes', async () => {
  await using folder = await temporaryFolder();
  await using ring = startRing({ folder: folder.path, files: 3, wrapAfter: 20, log });
  for (let index = 0; index < 5; index += 1) await writeFile(join(folder.path, file(1, index).name), '');
  ring.prune();
  await until(async () => (await readdir(folder.path)).length === 3, { what: '3 files' });
  expect((await readdir(folder.path)).toSorted()).toEqual([2, 3, 4].map((index) => file(1, index).name));
  ring.keep(1);
  await until(async () => (await readdir(folder.path)).length === 1, { what: '1 file' });
  expect(await readdir(folder.path)).toEqual([file(1, 4).name]);
});

test('prunes what an agent before left, and nothing that is not a ring file', async () => {
  await using folder = await temporaryFolder();
  const others = ['capture.1.json', 'notes.txt', 'captres-web.pcap1'];
  for (const name of [...others, file(1, 8).name, file(1, 9).name])
    await writeFile(join(folder.path, name), '');
  await mkdir(join(folder.path, 'subfolder'));
  {
    await using _ring = startRing({ folder: folder.path, files: 1, wrapAfter: 20, log });
  }
  expect((await readdir(folder.path)).toSorted()).toEqual(
    [...others, file(1, 9).name, 'subfolder'].toSorted(),
  );
});

test('when tcpdump came round because nothing was pruned, the file that changed last is the newest', async () => {
  await using folder = await temporaryFolder();
  for (let index = 0; index < 20; index += 1) {
    const path = join(folder.path, file(1, index).name);
    await writeFile(path, '');
    // Index 4 was begun again last, 5 is the oldest.
    await utimes(path, 0, index <= 4 ? 100 + index : index);
  }
  {
    await using _ring = startRing({ folder: folder.path, files: 3, wrapAfter: 20, log });
  }
  expect((await readdir(folder.path)).toSorted()).toEqual([2, 3, 4].map((index) => file(1, index).name));
});
