import { rm } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { packets, readScene, web } from '../../read/testing/read-scene.ts';
import { readRecording } from './recordings.ts';
import { openSnapshot } from './snapshot.ts';

test('begins behind the last file that went before it could be opened: there is no gap', async () => {
  await using scene = await readScene();
  for (const index of [4, 5, 6, 7]) await scene.file({ index, packets: packets(index, 1) });
  const capture = await readRecording(scene.pathOf(), web);
  const files = capture?.generations[0]?.files ?? [];
  await rm(files[1]?.path ?? '');
  await using snapshot = await openSnapshot(capture?.generations ?? []);
  expect(snapshot.sources.map((source) => source.files.map(({ path }) => path))).toEqual([
    files.slice(2).map(({ path }) => path),
  ]);
});
