import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../lab/folder.ts';
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
