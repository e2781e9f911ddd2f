import { appendFile, mkdir, rename, unlink, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readScene, web } from '../../../commands/testing/read-scene.ts';
import { fileHeaderBytes, recordsIn } from '../../../pcap/pcap-format.ts';
import { captureFile, microseconds } from '../../../pcap/testing/capture-files.ts';
import { createRecord, noTotals, replaceRecord } from '../../storage/capture-records.ts';
import { ringFileBase, ringFileName } from '../../storage/file-names.ts';
import { followRecords } from './follow-records.ts';
import { type FollowedRing, followRing } from './followed-ring.ts';

/** What happens to a ring, or to its reader. */
type RingEvent =
  | { readonly kind: 'packets'; readonly count: number; readonly cutBytes: number; readonly lateUs: number }
  | { readonly kind: (typeof often)[number] | (typeof rare)[number] };

const often = ['rotate', 'prune', 'prune', 'look', 'pass'] as const;
const rare = ['restart', 'takeOver', 'endOlder', 'freeze', 'pause', 'goOn'] as const;

const packetsOf = fc.record({
  kind: fc.constant('packets' as const),
  count: fc.integer({ min: 1, max: 40 }),
  cutBytes: fc.integer({ min: 0, max: 60 }),
  lateUs: fc.integer({ min: 0, max: 5_000 }),
});

const eventOf: fc.Arbitrary<RingEvent> = fc.oneof(
  { weight: 6, arbitrary: packetsOf },
  { weight: 8, arbitrary: fc.record({ kind: fc.constantFrom(...often) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom(...rare) }) },
);

/** One start of tcpdump, with the files that it has and the bytes that it has not written yet. */
type Start = {
  readonly generation: number;
  index: number;
  files: string[];
  isRunning: boolean;
  unwritten: Buffer;
};

/** A ring in a real folder, whose packets have the numbers 0, 1, 2 ... */
async function ringModel(folder: string) {
  const starts: Start[] = [];
  /** Files that were made since the follower looked last. */
  const unseen = new Set<string>();
  let [isUnseenLost, hadOverlap, hasPruned] = [false, false, false];
  let [sent, frozen] = [0, 0];
  const running = () => starts.filter(({ isRunning }) => isRunning);
  const recordOf = (generation: number) => ({
    version: 2 as const,
    ...web,
    generation,
    agent: 'podcap-x',
    sandboxId: 'sandbox1',
    interface: 'eth0',
    fileMegabytes: 1,
    startTime: '2026-01-01T00:00:00.000Z',
    clock: { bootId: 'boot', startMs: 0, lastMs: 0 },
    totals: noTotals,
    forgotten: noTotals,
  });

  async function begin(): Promise<void> {
    const start = {
      generation: starts.length + 1,
      index: -1,
      files: [],
      isRunning: true,
      unwritten: Buffer.alloc(0),
    };
    await createRecord(folder, recordOf(start.generation));
    starts.push(start);
    await rotate(start);
  }

  async function rotate(start: Start): Promise<void> {
    await flush(start);
    start.index += 1;
    const path = join(folder, ringFileName(ringFileBase(web.pod, start.generation), start.index));
    await writeFile(path, captureFile([]));
    start.files.push(path);
    unseen.add(path);
  }

  async function flush(start: Start): Promise<void> {
    const newest = start.files.at(-1);
    if (newest !== undefined && start.unwritten.length > 0) await appendFile(newest, start.unwritten);
    start.unwritten = Buffer.alloc(0);
  }

  async function end(start: Start): Promise<void> {
    await flush(start);
    start.isRunning = false;
    await replaceRecord(folder, { ...recordOf(start.generation), endTime: '2026-01-01T00:00:01.000Z' });
  }

  async function write({ count, cutBytes, lateUs }: Extract<RingEvent, { kind: 'packets' }>): Promise<void> {
    for (const [at, start] of running().entries()) {
      const packets = Array.from({ length: count }, (_, i) => ({
        timeUs: 1_700_000_000_000_000 + (sent + i) * 6_000 + (at > 0 ? lateUs : 0),
        data: Buffer.from(`packet ${sent + i}`),
      }));
      const bytes = Buffer.concat([start.unwritten, captureFile(packets).subarray(fileHeaderBytes)]);
      const cut = Math.min(cutBytes, bytes.length);
      await appendFile(start.files.at(-1) ?? '', bytes.subarray(0, bytes.length - cut));
      start.unwritten = bytes.subarray(bytes.length - cut);
    }
    sent += count;
  }

  async function freeze(): Promise<void> {
    const ended = starts.filter(({ isRunning, files }) => !isRunning && files.length > 0);
    frozen += 1;
    await mkdir(join(folder, `frozen-${frozen}`));
    for (const start of ended) {
      for (const path of start.files) await rename(path, join(folder, `frozen-${frozen}`, basename(path)));
      start.files = [];
    }
  }

  await begin();
  return {
    sent: () => sent,
    hadOverlap: () => hadOverlap,
    lostInOverlap: () => hadOverlap && hasPruned,
    looked: () => unseen.clear(),
    /** Whether a file came and went between two looks: nobody knows what it had. */
    isUnseenLost: () => isUnseenLost,
    async happen(event: RingEvent): Promise<void> {
      const [oldest] = running();
      if (event.kind === 'packets') return await write(event);
      if (event.kind === 'rotate') for (const start of running()) await rotate(start);
      // A ring does not delete what two of them are writing: each has its own.
      if (event.kind === 'prune' && running().length < 2) {
        const start = starts.find(({ files, isRunning }) => files.length > (isRunning ? 1 : 0));
        const path = start?.files.shift();
        if (path !== undefined) await unlink(path);
        hasPruned = true;
        if (path !== undefined && unseen.has(path)) isUnseenLost = true;
      }
      if (event.kind === 'restart') {
        for (const start of running()) await end(start);
        await begin();
      }
      if (event.kind === 'takeOver' && running().length < 2) {
        await begin();
        hadOverlap = true;
      }
      if (event.kind === 'endOlder' && oldest && running().length > 1) await end(oldest);
      if (event.kind === 'freeze') await freeze();
    },
    async endAll(): Promise<void> {
      for (const start of running()) await end(start);
    },
  };
}

type Followed = { readonly numbers: number[]; missing: number; isUnknown: boolean; pause: Promise<void> };

async function readAll(ring: FollowedRing, nowMs: () => number, followed: Followed): Promise<void> {
  const spans = followRecords({
    ring,
    nowMs,
    signal: new AbortController().signal,
    onStart() {},
    onMissing(_source, { packets }) {
      if (packets === undefined) followed.isUnknown = true;
      else followed.missing += packets;
    },
  });
  for await (const { bytes } of spans) {
    for (const { data } of recordsIn(bytes, microseconds))
      followed.numbers.push(Number(Buffer.from(data).toString().split(' ')[1]));
    await followed.pause;
  }
}

test('whatever happens to a ring, a follower gets each packet once and in order, or is told that it is missing', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(eventOf, { minLength: 10, maxLength: 80, size: 'max' }), async (events) => {
      await using scene = await readScene();
      const folder = scene.pathOf();
      await mkdir(folder, { recursive: true });
      const model = await ringModel(folder);
      let nowMs = 0;
      const clock = () => nowMs;
      await using ring = await followRing({
        folder,
        pollMs: 1e9,
        mostFiles: 1_000,
        nowMs: clock,
        clock: { nowMs: () => 0, bootId: 'boot' },
        onError() {},
      });
      const followed: Followed = { numbers: [], missing: 0, isUnknown: false, pause: Promise.resolve() };
      let goOn = () => {};
      const reading = readAll(ring, clock, followed);
      for (const event of events) {
        await model.happen(event);
        if (event.kind === 'pass') nowMs += 1_500;
        if (event.kind === 'look') {
          await ring.look();
          model.looked();
        }
        if (event.kind === 'goOn') goOn();
        if (event.kind === 'pause') {
          goOn();
          const { promise, resolve } = Promise.withResolvers<void>();
          [followed.pause, goOn] = [promise, resolve];
        }
      }
      goOn();
      await model.endAll();
      await scene.podEnd();
      const state = { isOver: false };
      void reading.then(() => (state.isOver = true));
      while (!state.isOver) {
        nowMs += 1_500;
        await ring.look();
      }
      await reading;
      const { numbers, missing, isUnknown } = followed;
      const sorted = [...new Set(numbers)].toSorted((a, b) => a - b);
      // What one of two captures has lost, the other one has up to 100 ms later.
      const inOrder = model.lostInOverlap() ? numbers.toSorted((a, b) => a - b) : numbers;
      expect(inOrder).toEqual(sorted);
      const known = numbers.length + missing;
      const isAllKnown = known === model.sent() && !isUnknown;
      // What one of two captures has lost may be in the other one.
      const isAtMost = model.hadOverlap() && missing > 0 && known >= model.sent();
      expect(isAllKnown || isAtMost || model.isUnseenLost()).toBe(true);
    }),
    { numRuns: 60 },
  );
});
