import { expect, test } from 'vitest';
import { packets, readScene, web } from '../../commands/testing/read-scene.ts';
import { memoryLog } from '../../kubernetes/testing/memory-logger.ts';
import { noTotals, type Totals } from '../storage/capture-records.ts';
import { countedRecordings } from './recording-counters.ts';

/** What is told of a capture whose record was written 60 s ago, when it had captured 3 packets of 5. */
async function countedWith(fresh: ReadonlyMap<number, Totals>) {
  await using scene = await readScene();
  await scene.file({ index: 0, packets: packets(0, 5) });
  await scene.record({
    clock: { bootId: 'boot', startMs: 0, lastMs: 0 },
    totals: { ...noTotals, captured: 3 },
  });
  const path = scene.pathOf();
  const { countAnew, latest } = countedRecordings({
    states: () => [],
    folders: { states: () => new Map(), pathOf: () => path },
    freshTotals: async () => await Promise.resolve(fresh),
    clock: { bootId: 'boot', nowMs: () => 60_000 },
    log: memoryLog(),
  });
  await countAnew([web.uid]);
  return latest().get(web.uid);
}

test('a capture that runs here is counted, even if its record cannot be written', async () => {
  const counters = await countedWith(new Map([[1, { ...noTotals, captured: 5 }]]));
  expect(counters).toMatchObject({ files: 1, packets: 5 });
});

test('of one whose agent is dead, it is unknown how many packets there are until they are counted', async () => {
  const counters = await countedWith(new Map());
  expect(counters).toMatchObject({ files: 1, dropped: 0 });
  expect(counters).not.toHaveProperty('packets');
});
