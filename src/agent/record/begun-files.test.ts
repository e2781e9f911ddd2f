import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../lab/folder.ts';
import { captureFile } from '../../pcap/testing/capture-files.ts';
import { beginFiles } from './begun-files.ts';

test('each file but the first makes an old one go, and tells what the one before has', () => {
  const told: string[] = [];
  const ring = {
    prune: () => told.push('prune'),
    closed: (name: string, packets: number) => told.push(`${name} has ${packets}`),
  };
  const files = beginFiles(ring, '/captures/default_web_1/captres-web.3.pcap', 3);
  for (const packetsBefore of [0, 930, 940, 950, 960]) files.next(packetsBefore);
  expect(told).toEqual([
    'captres-web.3.pcap0 has 930',
    'prune',
    'captres-web.3.pcap1 has 940',
    'prune',
    'captres-web.3.pcap2 has 950',
    'prune',
    'captres-web.3.pcap0 has 960',
    'prune',
  ]);
});

test('what is written changes with the newest file, and with each next one', async () => {
  await using folder = await temporaryFolder();
  const file = join(folder.path, 'captres-web.1.pcap');
  const files = beginFiles({ prune() {}, closed() {} }, file, 10);
  files.next(0);
  const looks = [await files.written()];
  await writeFile(`${file}0`, 'packets');
  looks.push(await files.written());
  files.next(1);
  looks.push(await files.written());
  expect(new Set(looks).size).toBe(3);
});

test('counts what was written, by what was told and by the newest file', async () => {
  await using folder = await temporaryFolder();
  const file = join(folder.path, 'captres-web.1.pcap');
  const files = beginFiles({ prune() {}, closed() {} }, file, 10);
  expect(await files.packets()).toBe(0);
  files.next(0);
  files.next(930);
  const packets = Array.from({ length: 7 }, (_, timeUs) => ({ timeUs, data: new Uint8Array(60) }));
  await writeFile(`${file}1`, captureFile(packets));
  expect(await files.packets()).toBe(937);
});

test('a file is gone when it is missing twice, and no later start of tcpdump made it go', async () => {
  await using folder = await temporaryFolder();
  const file = join(folder.path, 'captres-web.1.pcap');
  const files = beginFiles({ prune() {}, closed() {} }, file, 10);
  expect([await files.isGone(), await files.isGone()]).toEqual([false, false]);
  files.next(0);
  await writeFile(`${file}0`, '');
  expect([await files.isGone(), await files.isGone()]).toEqual([false, false]);
  files.next(930);
  expect(await files.isGone()).toBe(false);
  files.next(930);
  expect([await files.isGone(), await files.isGone()]).toEqual([false, true]);
  await writeFile(join(folder.path, 'captres-web.2.pcap0'), '');
  expect([await files.isGone(), await files.isGone()]).toEqual([false, false]);
});
