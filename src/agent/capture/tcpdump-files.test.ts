import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { captureFile } from '../../pcap/testing/capture-files.ts';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { trackTcpdumpFiles } from './tcpdump-files.ts';

const at = (started: number, packets = 0, pruned = 0) => ({ started, packets, pruned });

test('each file but the first prunes the leftovers', () => {
  let prunings = 0;
  const files = trackTcpdumpFiles(
    { prune: () => (prunings += 1) },
    '/captures/default_web_1/captres-web.3.pcap',
  );
  files.next(at(1));
  expect(prunings).toBe(0);
  files.next(at(2, 930));
  files.next(at(9, 8_000, 6_000));
  expect(prunings).toBe(2);
  expect(files.pruned()).toBe(6_000);
});

test('the text changes when the newest file grows, and with each new file', async () => {
  await using folder = await temporaryFolder();
  const file = join(folder.path, 'captres-web.1.pcap');
  const files = trackTcpdumpFiles({ prune() {} }, file);
  files.next(at(1));
  const texts = [await files.written()];
  await writeFile(`${file}000000000`, 'packets');
  texts.push(await files.written());
  files.next(at(2, 1));
  texts.push(await files.written());
  expect(new Set(texts).size).toBe(3);
});

test('counts what was reported, and what is in the newest file', async () => {
  await using folder = await temporaryFolder();
  const file = join(folder.path, 'captres-web.1.pcap');
  const files = trackTcpdumpFiles({ prune() {} }, file);
  expect(await files.packets()).toBe(0);
  files.next(at(2, 930));
  const packets = Array.from({ length: 7 }, (_, timeUs) => ({ timeUs, data: new Uint8Array(60) }));
  await writeFile(`${file}000000001`, captureFile(packets));
  expect(await files.packets()).toBe(937);
  // Started, and not reported.
  await writeFile(`${file}000000002`, captureFile(packets.slice(0, 2)));
  expect(await files.packets()).toBe(939);
});

test('knows the later tcpdumps that have files', async () => {
  await using folder = await temporaryFolder();
  const files = trackTcpdumpFiles({ prune() {} }, join(folder.path, 'captres-web.2.pcap'));
  expect(await files.later()).toEqual([]);
  for (const name of ['captres-web.1.pcap9', 'captres-web.2.pcap0', 'capture.3.json', 'notes'])
    await writeFile(join(folder.path, name), '');
  expect(await files.later()).toEqual([]);
  await writeFile(join(folder.path, 'captres-web.3.pcap0'), '');
  expect(await files.later()).toEqual([3]);
  await rm(folder.path, { recursive: true });
  expect(await files.later()).toEqual([]);
});
