import { join } from 'node:path';
import { expect, test } from 'vitest';
import { packets, readScene, web } from '../../../commands/testing/read-scene.ts';
import { openPcap, type PcapFile } from '../../../pcap/pcap-file.ts';
import { recordsIn } from '../../../pcap/pcap-format.ts';
import { microseconds } from '../../../pcap/testing/capture-files.ts';
import { ringFileBase, ringFileName } from '../../storage/file-names.ts';
import { GenerationTail } from './generation-tail.ts';

const nowMs = () => 0;
const ten = { packets: 10 };

type TailFile = { readonly packets: number; readonly missing?: number };

/** A reader of these files; the first look at the length of number `slow` takes until `looked` is called. */
async function tailScene(files: readonly TailFile[], slow?: number) {
  await using opening = new AsyncDisposableStack();
  const scene = opening.use(await readScene());
  const tail = opening.use(new GenerationTail(1, undefined));
  const { promise: looking, resolve: looked } = Promise.withResolvers<void>();
  for (const [index, { packets: count, missing = 0 }] of files.entries()) {
    await scene.file({ index, packets: packets(index * 10, count) });
    const file = await openPcap(join(scene.pathOf(), ringFileName(ringFileBase(web.pod, 1), index)));
    if (file.kind !== 'pcap') throw new Error('not a capture file');
    const before = { reason: 'ReaderTooSlow' as const, packets: missing, bytes: 0 };
    tail.add(index, index === slow ? slowAtFirst(file, looking) : file, missing > 0 ? before : undefined, 0);
  }
  const opened = opening.move();
  return {
    tail,
    looked,
    /** What the reader gets next: a gap, then records. */
    async taken(): Promise<string> {
      const isMore = await tail.refill(nowMs);
      const missing = tail.takeMissing();
      const records = isMore ? [...recordsIn(tail.records.take(Infinity), microseconds)].length : 0;
      return `${missing ? `gap of ${missing.packets}, ` : ''}${records} records`;
    },
    [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
  };
}

function slowAtFirst(file: PcapFile, until: Promise<void>): PcapFile {
  let wait: Promise<void> | undefined = until;
  return {
    ...file,
    async extend() {
      const waiting = wait;
      wait = undefined;
      await waiting;
      await file.extend();
    },
  };
}

test('a gap is where the deleted file was, although the reader goes on while it is counted', async () => {
  await using scene = await tailScene([ten, ten, ten, ten, ten], 2);
  expect(await scene.taken()).toBe('10 records');
  const forgetting = scene.tail.forget(2, nowMs);
  expect(await scene.taken()).toBe('10 records');
  scene.looked();
  await forgetting;
  expect([await scene.taken(), await scene.taken()]).toEqual(['gap of 10, 10 records', '10 records']);
});

test('a deleted file that the reader begins before it is counted is read', async () => {
  await using scene = await tailScene([ten, ten, ten, ten], 1);
  expect(await scene.taken()).toBe('10 records');
  const forgetting = scene.tail.forget(1, nowMs);
  expect(await scene.taken()).toBe('10 records');
  scene.looked();
  await forgetting;
  expect([await scene.taken(), await scene.taken()]).toEqual(['10 records', '10 records']);
});

test('what is missing before and in the last files is said at the end, when the ring has deleted all of them', async () => {
  await using scene = await tailScene([ten, ten, ten]);
  expect(await scene.taken()).toBe('10 records');
  await scene.tail.forget(1, nowMs);
  await scene.tail.forget(2, nowMs);
  expect(await scene.taken()).toBe('gap of 20, 0 records');
});

test('what is missing before a file without records is not forgotten when the ring deletes all after it meanwhile', async () => {
  await using scene = await tailScene([ten, { packets: 0, missing: 5 }, ten], 1);
  expect(await scene.taken()).toBe('10 records');
  const taken = scene.taken();
  await scene.tail.forget(2, nowMs);
  scene.looked();
  expect(await taken).toBe('gap of 15, 0 records');
});
