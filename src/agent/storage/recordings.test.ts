import { utimes } from 'node:fs/promises';
import { basename } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { packets, readScene, web } from '../../commands/testing/read-scene.ts';
import { readRecording } from './recordings.ts';

describe('an unpruned ring: three files from before the clock was set back by an hour, and two from after', () => {
  let steady: readonly string[];
  let setBack: readonly string[];

  beforeAll(async () => {
    const secondsOf = [0, 60, 120, 180, 240];
    steady = await orderOf(secondsOf);
    setBack = await orderOf(secondsOf.map((seconds, index) => (index < 3 ? seconds : seconds - 3_600)));
  });

  test('has its five files in order if the clock was not set', () => {
    expect(steady).toEqual(['000', '001', '002', '003', '004']);
  });

  test('has its five files in the order in which they were written', () => {
    expect(setBack).toEqual(['000', '001', '002', '003', '004']);
  });
});

/** The indices of a capture's files in the order in which they are read; each was last modified at its second. */
async function orderOf(changedAt: readonly number[]): Promise<readonly string[]> {
  await using scene = await readScene();
  for (const index of changedAt.keys()) await scene.file({ index, packets: packets(index, 1) });
  const written = await readRecording(scene.pathOf(), web);
  for (const { path } of written?.generations[0]?.files ?? []) {
    const seconds = 1_700_000_000 + (changedAt[Number(indexOf(path))] ?? Number.NaN);
    await utimes(path, seconds, seconds);
  }
  const read = await readRecording(scene.pathOf(), web);
  return (read?.generations[0]?.files ?? []).map(({ path }) => indexOf(path));
}

function indexOf(path: string): string {
  return basename(path).slice(-3);
}
