import { rm } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { packets, readScene, web } from '../../commands/testing/read-scene.ts';
import { readRecording } from './recordings.ts';
import { openSnapshot } from './snapshot.ts';

test('starts after the last file that was deleted before it could be opened, so there is no gap', async () => {
  await using scene = await readScene();
  for (const index of [4, 5, 6, 7]) await scene.file({ index, packets: packets(index, 1) });
  const recording = await readRecording(scene.pathOf(), web);
  const files = recording?.generations[0]?.files ?? [];
  await rm(files[1]?.path ?? '');
  await using snapshot = await openSnapshot(recording?.generations ?? []);
  expect(snapshot.sources.map((source) => source.files.map(({ path }) => path))).toEqual([
    files.slice(2).map(({ path }) => path),
  ]);
});

test.each([
  ['deleted its first file', [1]],
  ['deletes it now', [0, 1]],
])(
  'leaves out what is older than a capture that has %s: packets are missing in between',
  async (_what, indexes) => {
    await using scene = await readScene();
    await scene.file({ generation: 1, index: 0, packets: packets(0, 1) });
    await scene.record({ generation: 1, endTime: '2026-01-01T00:00:00.000Z' });
    for (const index of indexes) await scene.file({ generation: 2, index, packets: packets(1 + index, 1) });
    await scene.record({ generation: 2 });
    const recording = await readRecording(scene.pathOf(), web);
    const [first] = recording?.generations.at(-1)?.files ?? [];
    if (first?.index === 0) await rm(first.path);
    await using snapshot = await openSnapshot(recording?.generations ?? []);
    expect(snapshot.sources.map(({ generation }) => generation)).toEqual([2]);
  },
);

// tcpdump's user may write into the folder.
test('keeps what is older than a capture with an index to which no tcpdump can have come', async () => {
  await using scene = await readScene();
  await scene.file({ generation: 1, index: 0, packets: packets(0, 1) });
  await scene.record({ generation: 1, endTime: '2026-01-01T00:00:00.000Z' });
  for (const index of [0, 1, 999_999_999]) await scene.file({ generation: 2, index, packets: packets(1, 1) });
  await scene.record({ generation: 2 });
  const recording = await readRecording(scene.pathOf(), web);
  await using snapshot = await openSnapshot(recording?.generations ?? []);
  expect(snapshot.sources.map(({ generation }) => generation)).toEqual([1, 2]);
});

test('keeps the files of another interface: nothing of that one is missing', async () => {
  await using scene = await readScene();
  await scene.file({ generation: 1, index: 0, packets: packets(0, 1) });
  await scene.record({ generation: 1, interface: 'lo', endTime: '2026-01-01T00:00:00.000Z' });
  await scene.file({ generation: 2, index: 3, packets: packets(1, 1) });
  await scene.record({ generation: 2 });
  const recording = await readRecording(scene.pathOf(), web);
  await using snapshot = await openSnapshot(recording?.generations ?? []);
  expect(snapshot.sources.map(({ interfaceName, place }) => [interfaceName, place])).toEqual([
    ['lo', 'sandbox1 lo'],
    ['eth0', 'sandbox1 eth0'],
  ]);
});

test('keeps the files of an older capture that may still run: they are a ring of their own', async () => {
  await using scene = await readScene();
  await scene.file({ generation: 1, index: 3, packets: packets(0, 1) });
  await scene.record({ generation: 1 });
  await scene.file({ generation: 2, index: 1, packets: packets(1, 1) });
  await scene.record({ generation: 2 });
  const recording = await readRecording(scene.pathOf(), web);
  await using snapshot = await openSnapshot(recording?.generations ?? []);
  expect(snapshot.sources.map(({ generation }) => generation)).toEqual([1, 2]);
});

test('opens no more files than it may, the newest of all generations', async () => {
  await using scene = await readScene();
  for (const index of [0, 1, 2]) await scene.file({ generation: 1, index, packets: packets(index, 1) });
  for (const index of [0, 1]) await scene.file({ generation: 2, index, packets: packets(3 + index, 1) });
  const recording = await readRecording(scene.pathOf(), web);
  const generations = recording?.generations ?? [];
  await using snapshot = await openSnapshot(generations, 3);
  expect(
    snapshot.sources.map(({ generation, files }) => [generation, files.map(({ path }) => path)]),
  ).toEqual([
    [1, generations[0]?.files.slice(2).map(({ path }) => path)],
    [2, generations[1]?.files.map(({ path }) => path)],
  ]);
  expect(snapshot.notes).toEqual(['only the newest 3 of 5 files are read']);
});
