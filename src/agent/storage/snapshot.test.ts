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
