import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { until } from '../../../base/until.ts';
import { readScene, web } from '../../../commands/testing/read-scene.ts';
import { fileHeaderBytes, recordsIn } from '../../../pcap/pcap-format.ts';
import { captureFile, microseconds, type TestPacket } from '../../../pcap/testing/capture-files.ts';
import { ringFileBase, ringFileName } from '../../storage/file-names.ts';
import { followRecords } from './follow-records.ts';
import { followRing, pollEveryMs } from './followed-ring.ts';

const boot = { bootId: 'boot', startMs: 0, lastMs: 0 };

/** As many as are read at once fill half a file of these. */
function longPackets(from: number, count: number): TestPacket[] {
  const data = Buffer.alloc(10_000);
  return Array.from({ length: count }, (_, i) => ({
    timeUs: 1_700_000_000_000_000 + (from + i) * 1_000,
    data,
  }));
}

/** A follower of the ring in a scene, with a clock that stands still unless it is moved. */
async function followedScene(scene: Awaited<ReturnType<typeof readScene>>, stepMs = 0) {
  const clock = { ms: 0 };
  const nowMs = () => (clock.ms += stepMs);
  const leaving = new AbortController();
  const records = { nowMs: () => 1_000, bootId: 'boot' };
  const options = { folder: scene.pathOf(), pollMs: 1e9, mostFiles: 1_000, onError() {} };
  const ring = await followRing({ ...options, nowMs, clock: records });
  const got = { packets: 0 };
  const spans = followRecords({ ring, nowMs, signal: leaving.signal, onStart() {}, onMissing() {} });
  const reading = (async () => {
    for await (const { bytes } of spans) got.packets += [...recordsIn(bytes, microseconds)].length;
  })().catch(() => {});
  return {
    ring,
    clock,
    got,
    async [Symbol.asyncDispose]() {
      leaving.abort();
      await reading;
      await ring[Symbol.asyncDispose]();
    },
  };
}

test('what follows a capture whose agent was killed does not wait for it', async () => {
  await using scene = await readScene();
  await scene.file({ index: 0, packets: longPackets(0, 10) });
  // Nobody has written down that it ended, and the machine has been started since.
  await scene.record({ clock: { ...boot, bootId: 'earlier boot' } });
  for (const index of [0, 1, 2])
    await scene.file({ generation: 2, index, packets: longPackets(1_000 + index * 100, 100) });
  await scene.record({ generation: 2, clock: boot });
  await using followed = await followedScene(scene, 1);
  await until(() => followed.got.packets >= 310, { what: 'everything there is' });
  expect(followed.got.packets).toBe(310);
});

test('what is there of a busy interface waits once for a silent one, and not for each part of it', async () => {
  await using scene = await readScene();
  await scene.file({ index: 0, packets: longPackets(0, 1) });
  await scene.record({ interface: 'lo' });
  for (const index of [0, 1, 2])
    await scene.file({ generation: 2, index, packets: longPackets(1_000 + index * 100, 100) });
  await scene.record({ generation: 2, interface: 'eth0' });
  await using followed = await followedScene(scene);
  await until(() => followed.got.packets === 1, { what: 'the earlier packet' });
  followed.clock.ms = 500;
  await followed.ring.look();
  await until(() => followed.got.packets >= 301, { what: 'everything there is' });
  expect(followed.clock.ms).toBe(500);
});

// What a packet waits for beyond that is its file: tcpdump's library writes what it has within a second.
test('what is written is sent after the next look at the folder, whatever the time is', async () => {
  await using scene = await readScene();
  await scene.file({ index: 0, packets: longPackets(0, 10) });
  await scene.record({});
  await using followed = await followedScene(scene);
  await until(() => followed.got.packets === 10, { what: 'what there is' });
  const path = join(scene.pathOf(), ringFileName(ringFileBase(web.pod, 1), 0));
  await appendFile(path, captureFile(longPackets(10, 1)).subarray(fileHeaderBytes));
  await followed.ring.look();
  await until(() => followed.got.packets === 11, { what: 'the packet that was appended' });
  await scene.file({ index: 1, packets: longPackets(11, 1) });
  await followed.ring.look();
  await until(() => followed.got.packets === 12, { what: 'the packet in the next file' });
  expect(followed.clock.ms).toBe(0);
});

test('a packet waits for another interface that is silent no longer than a second, with the look at the folder', async () => {
  await using scene = await readScene();
  for (const [generation, name] of [
    [1, 'lo'],
    [2, 'eth0'],
  ] as const) {
    await scene.file({ generation, index: 0, packets: longPackets(generation, 1) });
    await scene.record({ generation, interface: name });
  }
  await using followed = await followedScene(scene);
  await until(() => followed.got.packets === 1, { what: 'the earlier packet' });
  followed.clock.ms = 1_000 - pollEveryMs;
  await followed.ring.look();
  await until(() => followed.got.packets === 2, { what: 'the packet after it' });
  expect(followed.clock.ms + pollEveryMs).toBe(1_000);
});

test('of captures that have ended, a follower holds no file open', async () => {
  await using scene = await readScene();
  const generations = Array.from({ length: 20 }, (_, i) => i + 1);
  for (const generation of generations) {
    await scene.file({ generation, index: 0, packets: longPackets(generation * 1_000, 10) });
    const isLast = generation === generations.length;
    await scene.record({ generation, clock: boot, ...(!isLast && { endTime: '2026-01-01T00:00:01.000Z' }) });
  }
  await using followed = await followedScene(scene, 1);
  await until(() => followed.got.packets === 200, { what: 'everything there is' });
  // Those of the last one.
  expect(followed.ring.files()).toHaveLength(1);
});
