import { getEventListeners } from 'node:events';
import { mkdir, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { packets, readScene, web } from '../../../commands/testing/read-scene.ts';
import { captureFile } from '../../../pcap/testing/capture-files.ts';
import { recordName, ringFileBase, ringFileName } from '../../storage/file-names.ts';
import { followRing } from './followed-ring.ts';

type Scene = Awaited<ReturnType<typeof readScene>>;

const nameOf = (index: number) => ringFileName(ringFileBase(web.pod, 1), index);

const followedRing = (scene: Scene) =>
  followRing({
    folder: scene.pathOf(),
    pollMs: 1e9,
    mostFiles: 1_000,
    nowMs: () => 0,
    clock: { nowMs: () => 0, bootId: 'boot' },
    onError() {},
  });

/** The newest index of each capture. */
const newestOf = ({ tails }: Awaited<ReturnType<typeof followedRing>>) =>
  tails.map(({ lastIndex }) => lastIndex);

async function recorded(): Promise<Scene> {
  const scene = await readScene();
  await scene.file({ index: 0, packets: packets(0, 10) });
  await scene.record({});
  return scene;
}

/** Another capture, which has the same number. */
async function recordAgain(scene: Scene): Promise<void> {
  for (const index of [0, 1]) await scene.file({ index, packets: packets(100 + index, 10) });
  await scene.record({ startTime: '2026-01-01T01:00:00.000Z' });
}

test('what is recorded after a recording was deleted is another one, also if nobody looked meanwhile', async () => {
  await using scene = await recorded();
  await using ring = await followedRing(scene);
  await rm(scene.pathOf(), { recursive: true });
  await mkdir(scene.pathOf());
  await recordAgain(scene);
  await ring.look();
  expect({ state: ring.state().kind, newest: newestOf(ring) }).toEqual({ state: 'deleted', newest: [0] });
});

test('a recording that was deleted stays deleted', async () => {
  await using scene = await recorded();
  await using ring = await followedRing(scene);
  await rm(scene.pathOf(), { recursive: true });
  await ring.look();
  await mkdir(scene.pathOf());
  await recordAgain(scene);
  await ring.look();
  expect({ state: ring.state().kind, newest: newestOf(ring) }).toEqual({ state: 'deleted', newest: [0] });
});

// A folder with files of others is not deleted with the recording.
test('what is recorded in the same folder after a recording was deleted is another one', async () => {
  await using scene = await recorded();
  await using ring = await followedRing(scene);
  await unlink(join(scene.pathOf(), nameOf(0)));
  await unlink(join(scene.pathOf(), recordName(1)));
  await recordAgain(scene);
  await ring.look();
  expect({ state: ring.state().kind, newest: newestOf(ring) }).toEqual({ state: 'deleted', newest: [0] });
});

test('records that were deleted because newer captures have come do not end it', async () => {
  await using scene = await recorded();
  await using ring = await followedRing(scene);
  await unlink(join(scene.pathOf(), recordName(1)));
  await scene.record({ generation: 2 });
  await ring.look();
  expect(ring.state().kind).toBe('live');
});

// tcpdump's user may write into the folder.
test('an index to which no tcpdump can have come is passed over, before and while it is followed', async () => {
  await using scene = await recorded();
  await scene.file({ index: 999_999_999, packets: packets(0, 1) });
  await using ring = await followedRing(scene);
  await scene.file({ index: 70_000, packets: packets(0, 1) });
  await scene.file({ index: 1, packets: packets(10, 10) });
  await ring.look();
  expect(newestOf(ring)).toEqual([1]);
});

test('a link with the name of a frozen ring, or a folder of somebody else, is none', async () => {
  await using scene = await recorded();
  const other = { ...web, pod: 'vault', uid: 'another-uid' };
  await scene.file({ generation: 7, index: 0, packets: packets(0, 10) }, other);
  await using ring = await followedRing(scene);
  await symlink(`../${scene.pathOf(other).split('/').at(-1)}`, join(scene.pathOf(), 'frozen-9'));
  await ring.look();
  expect(ring.tails.map(({ number }) => number)).toEqual([1]);
});

test('a file that cannot be read is said by its name only, also of a capture that has no other', async () => {
  await using scene = await recorded();
  await writeFile(join(scene.pathOf(), nameOf(1)), Buffer.alloc(5_000, 7));
  const onlyOne = ringFileName(ringFileBase(web.pod, 2), 0);
  await writeFile(join(scene.pathOf(), onlyOne), Buffer.alloc(5_000, 7));
  await using ring = await followedRing(scene);
  expect(ring.tails.map(({ number }) => number)).toEqual([1]);
  expect(ring.notes().map((note) => note.split(' ')[0])).toEqual([nameOf(1), onlyOne]);
  await writeFile(
    join(scene.pathOf(), ringFileName(ringFileBase(web.pod, 2), 1)),
    captureFile(packets(0, 1)),
  );
  await ring.look();
  expect(ring.tails.map(({ number }) => number)).toEqual([1, 2]);
});

test('waiting for a change leaves no listener behind, and ends with the signal', async () => {
  await using scene = await recorded();
  await using ring = await followedRing(scene);
  const leaving = new AbortController();
  for (let looks = 0; looks < 3; looks += 1) {
    const changed = ring.changed(leaving.signal);
    await ring.look();
    await changed;
  }
  expect(getEventListeners(leaving.signal, 'abort')).toEqual([]);
  // That one look is remembered.
  await ring.changed(leaving.signal);
  const changed = ring.changed(leaving.signal);
  leaving.abort();
  await changed;
});
