import { appendFile, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { framesMediaType } from '../../../api/stream-frames.ts';
import { until } from '../../../base/until.ts';
import { packets, web } from '../../../commands/testing/read-scene.ts';
import { fileHeaderBytes } from '../../../pcap/pcap-format.ts';
import { captureFile } from '../../../pcap/testing/capture-files.ts';
import { noTotals } from '../../storage/capture-records.ts';
import { ringFileBase, ringFileName } from '../../storage/file-names.ts';
import { answerOf, readFrames } from '../testing/link-scene.ts';
import { servingScene } from '../testing/serving-scene.ts';

type Scene = Awaited<ReturnType<typeof servingScene>>;

const nameOf = (index: number, generation = 1) => ringFileName(ringFileBase(web.pod, generation), index);
const records = (from: number, count: number) => captureFile(packets(from, count)).subarray(fileHeaderBytes);

/** A reader that follows, and what it has got. */
function followed(scene: Scene, query = 'format=pcap', accept?: string) {
  const stream = scene.link.request(
    scene.pathOf(`follow=true&${query}`),
    accept === undefined ? {} : { accept },
  );
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  return { stream, answer: answerOf(stream), body: () => Buffer.concat(chunks) };
}

test('a follower gets what is there, what is appended, the next file and the next capture, until the Pod ends', async () => {
  await using scene = await servingScene();
  await scene.captures.file({ index: 0, packets: packets(0, 10) });
  await scene.captures.record({});
  const follower = followed(scene);
  const gets = (count: number) =>
    until(() => follower.body().equals(captureFile(packets(0, count))), { what: `${count} packets` });
  await gets(10);
  const appended = records(10, 5);
  const path = join(scene.captures.pathOf(), nameOf(0));
  // tcpdump writes a record in pieces.
  await appendFile(path, appended.subarray(0, appended.length - 3));
  await gets(14);
  await appendFile(path, appended.subarray(appended.length - 3));
  await gets(15);
  await scene.captures.file({ index: 1, packets: packets(15, 5) });
  await gets(20);
  await scene.captures.file({ generation: 2, index: 0, packets: packets(18, 5) });
  await scene.captures.record({ generation: 2 });
  await gets(23);
  await scene.captures.podEnd();
  const answer = await follower.answer;
  expect(answer).toMatchObject({ status: 200, isCut: false });
  expect(answer.body.equals(captureFile(packets(0, 23)))).toBe(true);
});

test('in frames, the end says that the Pod has ended, and what is missing', async () => {
  await using scene = await servingScene();
  await scene.captures.file({ index: 0, packets: packets(0, 10) });
  await scene.captures.record({ totals: { ...noTotals, captured: 13, dropped: 1, pruned: 3 } });
  const follower = followed(scene, '', framesMediaType);
  await until(() => readFrames(follower.body()).data.length > 0, { what: 'the first packets' });
  // A file that came and went before anybody saw it.
  await unlink(join(scene.captures.pathOf(), nameOf(0)));
  await scene.captures.file({ index: 2, packets: packets(20, 10) });
  await until(() => readFrames(follower.body()).gaps.length > 0, { what: 'the gap' });
  await scene.captures.podEnd();
  const { kinds, gaps, end } = readFrames((await follower.answer).body);
  expect(kinds).toMatch(/^D+GD+E$/);
  expect(gaps).toEqual([{ reason: 'ReaderTooSlow', bytes: 1_000_000 }]);
  expect(end).toMatchObject({ reason: 'PodEnded', isComplete: true, packets: 20, dropped: 1, pruned: 3 });
});

test('a follower of a Pod whose recording is deleted gets the rest of it, and an end', async () => {
  await using scene = await servingScene();
  await scene.captures.file({ index: 0, packets: packets(0, 10) });
  await scene.captures.record({});
  const follower = followed(scene, '', framesMediaType);
  await until(() => readFrames(follower.body()).data.length > 0, { what: 'the first packets' });
  await scene.captures.remove();
  const { end } = readFrames((await follower.answer).body);
  expect(end).toMatchObject({ reason: 'RecordingDeleted', isComplete: true, packets: 10 });
});

test.each([
  ['a file that is none', (path: string) => writeFile(path, Buffer.alloc(5_000, 7)), /^D+GD+E$/, 20],
  ['the rest of one', (path: string) => appendFile(path, Buffer.alloc(5_000, 0xff)), /^D+GD+E$/, 30],
])(
  'a follower who cannot get %s is told so, and that it is not complete',
  async (_what, spoil, order, count) => {
    await using scene = await servingScene();
    for (const index of [0, 1, 2]) await scene.captures.file({ index, packets: packets(index * 10, 10) });
    await scene.captures.record({});
    await spoil(join(scene.captures.pathOf(), nameOf(1)));
    const inFrames = followed(scene, '', framesMediaType);
    const asFile = followed(scene);
    await scene.captures.podEnd();
    const { kinds, gaps, end } = readFrames((await inFrames.answer).body);
    expect(kinds).toMatch(order);
    expect(gaps).toMatchObject([{ reason: 'DamagedFiles' }]);
    expect(end).toMatchObject({ reason: 'DamagedFiles', isComplete: false, packets: count });
    expect(end?.notes).toEqual([expect.stringMatching(new RegExp(`^${nameOf(1)} `))]);
    expect((await asFile.answer).isCut).toBe(true);
  },
);

test('a follower who cannot get the rest of the last file is told so at the end', async () => {
  await using scene = await servingScene();
  await scene.captures.file({ index: 0, packets: packets(0, 10) });
  await scene.captures.record({});
  await appendFile(join(scene.captures.pathOf(), nameOf(0)), Buffer.alloc(5_000, 0xff));
  const follower = followed(scene, '', framesMediaType);
  await scene.captures.podEnd();
  const { kinds, gaps, end } = readFrames((await follower.answer).body);
  expect(kinds).toMatch(/^D+GE$/);
  expect(gaps).toEqual([{ reason: 'DamagedFiles', bytes: 5_000 }]);
  expect(end).toMatchObject({ reason: 'DamagedFiles', isComplete: false, packets: 10 });
});

test('a follower that waits is released at once when it goes away', async () => {
  await using scene = await servingScene();
  await scene.captures.file({ index: 0, packets: packets(0, 10) });
  await scene.captures.record({});
  const follower = followed(scene);
  await until(() => follower.body().length > 0, { what: 'the first packets' });
  expect(scene.held.files()).toBe(1);
  follower.stream.close(8);
  await scene.link.idle();
  expect(scene.held.files()).toBe(0);
});

test('a follower that comes before the first packet gets it', async () => {
  await using scene = await servingScene();
  await scene.captures.record({});
  const follower = followed(scene, 'since=2023-11-14T22:13:20.005Z&format=pcap');
  await scene.captures.file({ index: 0, packets: packets(0, 10) });
  await until(() => follower.body().length > 0, { what: 'the first packets' });
  expect(follower.body()).toEqual(captureFile(packets(5, 5)));
});
