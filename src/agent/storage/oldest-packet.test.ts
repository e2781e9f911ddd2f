import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { packets, readScene, web } from '../../commands/testing/read-scene.ts';
import { openCaptureFolders } from './capture-folders.ts';
import { oldestPacketUs } from './oldest-packet.ts';

/** When packets(0, 1) was captured, in microseconds. */
const firstUs = 1_700_000_000_000_000;

test('the oldest packet of a ring is the first one of its oldest file that has packets', async () => {
  await using scene = await readScene();
  await scene.record({ generation: 1 });
  await scene.record({ generation: 2 });
  await scene.file({ generation: 2, index: 0, packets: packets(0, 5) });
  await scene.file({ generation: 1, index: 8, packets: packets(7, 1) });
  await scene.file({ generation: 1, index: 9, packets: packets(5, 1) });
  await scene.file({ generation: 1, index: 7, packets: [] });
  expect(await oldestPacketUs(scene.pathOf())).toBe(firstUs + 7_000);
});

test('the oldest packet of several rings is that of the one that reaches back furthest', async () => {
  await using scene = await readScene();
  await scene.record({ generation: 1 });
  await scene.record({ generation: 2, interface: 'lo' });
  await scene.file({ generation: 1, index: 8, packets: packets(7, 1) });
  await scene.file({ generation: 2, index: 0, packets: packets(3, 5) });
  expect(await oldestPacketUs(scene.pathOf())).toBe(firstUs + 3_000);
});

test('a ring without packets has none', async () => {
  await using scene = await readScene();
  await scene.file({ index: 0, packets: [] });
  expect(await oldestPacketUs(scene.pathOf())).toBeUndefined();
});

test('what is no capture file is skipped', async () => {
  await using scene = await readScene();
  await scene.file({ index: 3, packets: packets(2, 1) });
  const inFolder = (index: number) => join(scene.pathOf(), `captres-web.1.pcap00000000${index}`);
  await symlink('/proc/self/environ', inFolder(0));
  await writeFile(inFolder(1), 'no capture file');
  expect(await oldestPacketUs(scene.pathOf())).toBe(firstUs + 2_000);
});

test.each([
  [true, firstUs / 1_000],
  [false, undefined],
])(
  'a folder is measured with the time of its oldest packet only if asked: %s',
  async (readsPacketTimes, ms) => {
    await using scene = await readScene();
    await scene.file({ index: 0, packets: packets(0, 2) });
    await scene.record({});
    const folders = await openCaptureFolders({
      root: scene.path,
      groupId: process.getgid?.() ?? 0,
      readsPacketTimes,
      clock: { nowMs: () => 0, bootId: 'boot' },
      log: pino({ level: 'silent' }),
    });
    expect(folders.states().get(web.uid)?.oldestPacketMs).toBe(ms);
  },
);
