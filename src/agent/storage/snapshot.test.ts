import { rm } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { packets, readScene, web } from '../../read/testing/read-scene.ts';
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
