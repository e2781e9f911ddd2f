import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readlink, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { framesMediaType } from '../../api/stream-frames.ts';
import { until } from '../../base/until.ts';
import { packets, web } from '../../commands/testing/read-scene.ts';
import { linkReaderHeader } from '../../link/protocol.ts';
import { captureFile, microseconds } from '../../pcap/testing/capture-files.ts';
import { noTotals } from '../storage/capture-records.ts';
import { ringFileBase, ringFileName } from '../storage/file-names.ts';
import { ReaderGone } from './capture-stream.ts';
import { download } from './download.ts';
import { answerOf, readFrames } from './testing/link-scene.ts';
import { servingScene } from './testing/serving-scene.ts';

describe('a recording', () => {
  test.each(['pcap', 'pcapng'])('is sent as podcap read writes it, as %s', async (format) => {
    await using scene = await servingScene();
    await scene.captures.file({ index: 4, packets: packets(0, 200) });
    await scene.captures.file({ generation: 2, index: 0, packets: packets(150, 150) });
    for (const generation of [1, 2]) await scene.captures.record({ generation });
    const { stdout } = await scene.captures.read(['default/web', '--format', format]);
    const answer = await scene.get(`format=${format}`);
    expect(answer.body.equals(stdout)).toBe(true);
    expect(answer).toMatchObject({
      status: 200,
      contentType: 'application/vnd.tcpdump.pcap',
      isCut: false,
    });
  });

  test('in frames, ends with what its captures counted', async () => {
    await using scene = await servingScene();
    await scene.captures.file({ index: 0, packets: packets(0, 20) });
    await scene.captures.record({
      totals: { ...noTotals, captured: 30, dropped: 1, lostAtStop: 2, missed: 3, pruned: 10, unseen: 4 },
    });
    const { data, end, kinds, isCut } = await scene.frames();
    const { stdout } = await scene.captures.read(['default/web']);
    expect(data.equals(stdout)).toBe(true);
    expect({ kinds, isCut }).toEqual({ kinds: 'DE', isCut: false });
    expect(end).toEqual({
      reason: 'Complete',
      isComplete: true,
      bytes: stdout.length,
      packets: 20,
      sha256: createHash('sha256').update(stdout).digest('hex'),
      dropped: 1,
      lostAtStop: 2,
      missed: 3,
      pruned: 10,
      unseen: 4,
    });
  });

  test('is sent from one time to another', async () => {
    await using scene = await servingScene();
    await scene.captures.file({ index: 0, packets: packets(0, 100) });
    const range = 'since=2023-11-14T22:13:20.010Z&until=2023-11-14T22:13:20.020Z';
    const { body } = await scene.get(`format=pcap&${range}`);
    expect(body).toEqual(captureFile(packets(10, 10)));
  });

  test.each([
    ['a damaged file', Buffer.concat([captureFile(packets(5, 5)), Buffer.alloc(64, 0xff)]), 15],
    ['a file that is none', Buffer.alloc(5_000, 7), 10],
  ])('with %s is not complete, and says which file by its name', async (_what, content, count) => {
    await using scene = await servingScene();
    for (const index of [0, 2]) await scene.captures.file({ index, packets: packets(index * 5, 5) });
    await scene.captures.record({});
    const name = ringFileName(ringFileBase(web.pod, 1), 1);
    await writeFile(join(scene.captures.pathOf(), name), content);
    expect(await scene.get()).toMatchObject({ status: 200, isCut: true });
    const { end } = await scene.frames();
    expect(end).toMatchObject({ reason: 'DamagedFiles', isComplete: false, packets: count });
    expect(end?.notes).toEqual([expect.stringMatching(new RegExp(`^${name} `))]);
  });
});

describe('a recording is refused', () => {
  const refusalOf = async (scene: Awaited<ReturnType<typeof servingScene>>, query: string) => {
    const { status, body } = await scene.get(query);
    return { status, ...JSON.parse(body.toString()) };
  };

  test('of a Pod that is not recorded', async () => {
    await using scene = await servingScene();
    expect(await refusalOf(scene, '')).toEqual({
      status: 404,
      reason: 'NotFound',
      message: `nothing is recorded of a Pod with UID ${web.uid}`,
    });
  });

  test('without files, without such a ring, and for a parameter that is not allowed', async () => {
    await using scene = await servingScene();
    await scene.captures.record({});
    expect(await refusalOf(scene, '')).toMatchObject({ status: 404, reason: 'NoCaptureFile' });
    expect(await refusalOf(scene, 'frozen=3')).toEqual({
      status: 404,
      reason: 'NoFrozenRing',
      message: 'no frozen ring 3: this Pod has none',
    });
    expect(await refusalOf(scene, 'format=csv')).toMatchObject({ status: 400 });
  });

  test('in pcap if it has two link types', async () => {
    await using scene = await servingScene();
    await scene.captures.file({ index: 0, packets: packets(0, 5) });
    const header = { ...microseconds, linkType: 113 };
    await scene.captures.file({ generation: 2, index: 0, packets: packets(5, 5), header });
    for (const generation of [1, 2]) await scene.captures.record({ generation });
    expect(await refusalOf(scene, 'format=pcap')).toMatchObject({ status: 400, reason: 'LinkTypesDiffer' });
    expect((await scene.get('format=pcapng')).isCut).toBe(false);
  });

  test('beyond the most readers, until one of them leaves', async () => {
    await using scene = await servingScene({ mostReaders: 1 });
    await scene.captures.file({ index: 0, packets: large });
    await scene.captures.record({});
    const reader = scene.link.request(scene.pathOf(''));
    await once(reader, 'response');
    expect(await refusalOf(scene, '')).toMatchObject({ status: 429, reason: 'TooManyReaders' });
    reader.close(8);
    await scene.link.idle();
    expect((await scene.get()).isCut).toBe(false);
  });

  test('to a user who reads as many as one user may, while others read on', async () => {
    await using scene = await servingScene({ mostReaders: 4 });
    await scene.captures.file({ index: 0, packets: large });
    await scene.captures.record({});
    const path = scene.pathOf('');
    for (let opened = 0; opened < 3; opened += 1) {
      await once(scene.link.request(path, { [linkReaderHeader]: 'ann' }), 'response');
    }
    const refused = await scene.link.get(path, { [linkReaderHeader]: 'ann' });
    expect(refused.status).toBe(429);
    expect(JSON.parse(refused.body.toString())).toMatchObject({
      message: expect.stringContaining('you read 3 recordings of this Node'),
    });
    expect((await scene.link.get(path, { [linkReaderHeader]: 'bob' })).status).toBe(200);
  });
});

/** More than what a connection takes without a reader. */
const large = Array.from({ length: 60 }, (_, at) => ({
  timeUs: 1_700_000_000_000_000 + at,
  data: Buffer.alloc(200_000, at),
}));

describe('files that a reader holds open', () => {
  test('are closed at once when it goes away', async () => {
    await using scene = await servingScene();
    await scene.captures.file({ index: 0, packets: large });
    await scene.captures.record({});
    const reader = scene.link.request(scene.pathOf(''));
    await once(reader, 'response');
    expect(await openFilesIn(scene.captures.path)).toBe(1);
    reader.close(8);
    await scene.link.idle();
    expect(await openFilesIn(scene.captures.path)).toBe(0);
    expect(scene.held.files()).toBe(0);
  });

  test('are read to their end though they are deleted, and count until then', async () => {
    await using scene = await servingScene();
    await scene.captures.file({ index: 0, packets: large });
    await scene.captures.record({});
    const reader = scene.link.request(scene.pathOf('format=pcap'));
    await once(reader, 'response');
    expect(await scene.held.measure()).toBe(0);
    await rm(scene.captures.pathOf(), { recursive: true });
    expect(await scene.held.measure()).toBeGreaterThanOrEqual(12_000_000);
    const { body, isCut } = await answerOf(reader);
    expect(isCut).toBe(false);
    expect(body.equals(captureFile(large))).toBe(true);
    await scene.link.idle();
    expect(await scene.held.measure()).toBe(0);
  });

  test('are closed one by one, as they have been read', async () => {
    await using scene = await servingScene();
    await scene.captures.file({ index: 0, packets: large.slice(0, 2) });
    await scene.captures.file({ index: 1, packets: large });
    await scene.captures.record({});
    const reader = scene.link.request(scene.pathOf(''));
    await once(reader, 'response');
    await expect.poll(() => openFilesIn(scene.captures.path)).toBe(1);
    reader.close(8);
    await scene.link.idle();
  });

  test.each(['', 'follow=true'])(
    'are closed if they keep too much of the disk, though the reader takes nothing: %s',
    async (query) => {
      await using scene = await servingScene({ mostHeldBytes: 10_000_000 });
      await scene.captures.file({ index: 0, packets: large });
      await scene.captures.record({});
      const reader = scene.link.request(scene.pathOf(query), { accept: framesMediaType });
      await once(reader, 'response');
      await until(() => reader.readableLength > 0, { what: 'that the reader is behind' });
      await rm(scene.captures.pathOf(), { recursive: true });
      expect(await scene.held.measure()).toBeGreaterThan(10_000_000);
      await until(async () => (await openFilesIn(scene.captures.path)) === 0, {
        what: 'that nothing is held',
      });
      const { body } = await answerOf(reader);
      const { data, end } = readFrames(body);
      const sha256 = createHash('sha256').update(data).digest('hex');
      expect(end).toMatchObject({ reason: 'HeldTooMuch', isComplete: false, bytes: data.length, sha256 });
    },
  );

  const everything = {
    uid: web.uid,
    frozen: undefined,
    range: { since: undefined, until: undefined },
    format: 'pcap',
    follow: false,
  } as const;

  test('are closed when it goes away before anything has been found that it asked for', async () => {
    await using scene = await servingScene();
    await scene.captures.file({ index: 0, packets: large });
    await scene.captures.record({});
    const { held } = scene;
    const options = { capturesFolder: scene.captures.path, held, signal: AbortSignal.abort() };
    const downloading = download(everything, { ...options, open: () => expect.unreachable() });
    await expect(downloading).rejects.toThrow(ReaderGone);
    expect(await openFilesIn(scene.captures.path)).toBe(0);
  });

  test('do not keep the head of the answer waiting for what was asked for', async () => {
    await using scene = await servingScene();
    for (const index of [0, 1, 2]) await scene.captures.file({ index, packets: large });
    await scene.captures.record({});
    const { held } = scene;
    const signal = new AbortController().signal;
    const options = { capturesFolder: scene.captures.path, held, signal, headWithinMs: 0 };
    let notRead: Promise<number> | undefined;
    const open = () => {
      notRead = openFilesIn(scene.captures.path);
      throw new Error('the head was sent');
    };
    const nothing = { ...everything, range: { since: { seconds: 4e9, nanoseconds: 0 }, until: undefined } };
    await expect(download(nothing, { ...options, open })).rejects.toThrow('the head was sent');
    expect(await notRead).toBeGreaterThan(0);
  });
});

/** How many files in the folder this process has open. */
async function openFilesIn(folder: string): Promise<number> {
  const targets = await Promise.all(
    (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')),
  );
  return targets.filter((target) => target.startsWith(folder)).length;
}
