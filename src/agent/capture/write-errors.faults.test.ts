import { rm } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { breakableDisk, memoryDisk, type TestDisk } from '../../testbed/test-disk.ts';
import { until } from '../../testbed/until.ts';
import { type VethTestbed, vethTestbed } from '../../testbed/veth-testbed.ts';
import type { RecorderReport } from '../observability/capture-status.ts';
import { expectAllCounted } from '../testing/expect-all-counted.ts';
import { recordingScene } from '../testing/recording-scene.ts';

// Each fault strikes while numbered datagrams are being sent, fast enough to fill a file in half a second.
const tries = [1, 2, 3, 4, 5];
const sending = { rate: 2_000, bytes: 1_000 };
/** What the issue asks for: a fault is seen within 5 s. */
const seenWithinMs = 5_000;

test.each(tries)('a full disk: told at once, captured again when there is room (%i)', async () => {
  await using disk = await memoryDisk(8);
  const told = await strike(disk, { fault: () => disk.fill(), mend: () => disk.free() });
  expect(told).toBe('captures cannot be written: the disk is full (ENOSPC)');
});

test.each(tries)(
  'no inodes: told when the next file begins, captured again when there are (%i)',
  async () => {
    await using disk = await memoryDisk(16);
    const told = await strike(disk, { fault: () => disk.fillInodes(), mend: () => disk.free() });
    expect(told).toBe('captures cannot be written: the file system has no inodes left (ENOSPC)');
  },
);

test.each(tries)('a folder that somebody deletes: told, and captured again in a new one (%i)', async () => {
  await using disk = await memoryDisk(8);
  const told = await strike(disk, { fault: (folder) => rm(folder, { recursive: true }), isDeleted: true });
  expect(told).toBe('captures cannot be written: their folder is gone (ENOENT)');
});

test.each(tries)('a folder that somebody deletes while nothing is sent: told as well (%i)', async () => {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  const { recorder, reports, path } = await scene.record(3);
  await rm(path, { recursive: true });
  const { message } = await untilFailed(reports);
  expect(message).toBe('captures cannot be written: their folder is gone (ENOENT)');
  await untilCaptured(reports, 2);
  await testbed.sendDatagrams({ count: 100 });
  await recorder.stop('AgentStopped');
  expect(await scene.numbers(path)).toHaveLength(100);
});

test.each(tries)('a disk that turns read-only under an open file: told, nothing runs on (%i)', async () => {
  await using disk = await breakableDisk(64);
  const told = await strike(disk, { fault: () => disk.abort(), isForGood: true });
  expect(told).toBe('captures cannot be written: the file system is read-only (EROFS)');
});

test.each(tries)('a disk with I/O errors: told, nothing runs on (%i)', async () => {
  await using disk = await breakableDisk(64);
  const told = await strike(disk, { fault: () => disk.breakDown(), isForGood: true });
  expect(told).toBe('captures cannot be written: the disk has an I/O error (EIO)');
});

test.each(tries)(
  'a disk that is read-only at the start: told, captured when it can be written (%i)',
  async () => {
    await using disk = await memoryDisk(8);
    await using testbed = await vethTestbed();
    await using scene = await recordingScene(testbed, { captures: disk.path });
    await (await scene.record(5)).recorder.stop('AgentStopped');
    await disk.remount('ro');
    const { recorder, reports, path } = await scene.record(5, {}, 'failed');
    expect(reports).toEqual([
      {
        kind: 'failed',
        message: 'captures cannot be written: the file system is read-only (EROFS)',
      },
    ]);
    await disk.remount('rw');
    await untilCaptured(reports, 1);
    await testbed.sendDatagrams({ count: 100 });
    await recorder.stop('AgentStopped');
    expect(await scene.numbers(path)).toHaveLength(100);
  },
);

type Strike = {
  readonly fault: (folder: string) => Promise<void>;
  readonly mend?: () => Promise<void>;
  /** The disk cannot be mended under the agent. */
  readonly isForGood?: boolean;
  /** The files went with the fault. */
  readonly isDeleted?: boolean;
};

/** Gives back the first failure that was told. */
async function strike(disk: TestDisk, { fault, mend, isForGood, isDeleted }: Strike): Promise<string> {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed, { captures: disk.path });
  const { recorder, reports, path } = await scene.record(3);
  await using sender = await testbed.startDatagrams(sending);
  await untilCarried(testbed, 2_500);
  const before = (await testbed.counters('pod')).sentPackets;
  await fault(path);
  const { message } = await untilFailed(reports);
  if (isForGood) {
    await until(async () => (await scene.tcpdumps()).length === 0, { what: 'no tcpdump' });
  } else {
    await mend?.();
    await untilCaptured(reports, 2);
    const { sentPackets } = await testbed.counters('pod');
    await untilCarried(testbed, sentPackets + 1_000);
  }
  const { sent } = await sender.stop();
  await recorder.stop('AgentStopped');
  expectAllCounted({
    reports,
    // What passes while nothing is captured is missed when the next capture begins: there is none.
    sent: isForGood ? before : sent,
    numbers: isForGood || isDeleted ? undefined : await scene.numbers(path),
  });
  // The same words each time: one Event, not one for each try.
  const failures = reports.filter((report) => report.kind === 'failed');
  expect(new Set(failures.map((failure) => failure.message)).size).toBe(1);
  expect(await scene.tcpdumps()).toEqual([]);
  return message;
}

async function untilFailed(reports: readonly RecorderReport[]) {
  return await until(() => reports.find((report) => report.kind === 'failed'), {
    what: 'the failure to be told',
    deadlineMs: seenWithinMs,
  });
}

async function untilCaptured(reports: readonly RecorderReport[], times: number): Promise<void> {
  await until(() => reports.filter(({ kind }) => kind === 'capturing').length >= times, {
    what: `capture ${times}`,
    deadlineMs: 60_000,
  });
}

async function untilCarried(testbed: VethTestbed, packets: number): Promise<void> {
  await until(async () => (await testbed.counters('pod')).sentPackets >= packets, {
    what: `${packets} packets carried`,
    deadlineMs: 60_000,
  });
}
