import { rm } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { breakableDisk, memoryDisk, type TestDisk } from '../../testbed/test-disk.ts';
import { type VethTestbed, vethTestbed } from '../../testbed/veth-testbed.ts';
import type { CaptureReport } from '../observability/capture-status.ts';
import { expectAllCounted } from '../testing/expect-all-counted.ts';
import { recordingScene } from '../testing/recording-scene.ts';

// Each fault strikes while numbered datagrams are being sent, fast enough to fill a file in half a second.
const attempts = [1, 2, 3, 4, 5];
const sending = { rate: 2_000, bytes: 1_000 };
/** A fault must be noticed within 5 s. */
const noticedWithinMs = 5_000;

test.each(attempts)(
  'a full disk is reported at once, and the Pod is captured again when there is space (%i)',
  async () => {
    await using disk = await memoryDisk(8);
    const message = await strike(disk, { fault: () => disk.fill(), repair: () => disk.free() });
    expect(message).toBe('captures cannot be written: the disk is full (ENOSPC)');
  },
);

test.each(attempts)(
  'missing inodes are reported when the next file starts, and the Pod is captured again when there are some (%i)',
  async () => {
    await using disk = await memoryDisk(16);
    const message = await strike(disk, { fault: () => disk.fillInodes(), repair: () => disk.free() });
    expect(message).toBe('captures cannot be written: the file system has no inodes left (ENOSPC)');
  },
);

test.each(attempts)(
  'a deleted folder is reported, and the Pod is captured again into a new one (%i)',
  async () => {
    await using disk = await memoryDisk(8);
    const message = await strike(disk, {
      fault: (folder) => rm(folder, { recursive: true }),
      isDeleted: true,
    });
    expect(message).toBe('captures cannot be written: their folder does not exist (ENOENT)');
  },
);

test.each(attempts)('a folder that is deleted while nothing is sent is reported as well (%i)', async () => {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  const { recorder, reports, path } = await scene.record(3);
  await rm(path, { recursive: true });
  const { message } = await untilFailed(reports);
  expect(message).toBe('captures cannot be written: their folder does not exist (ENOENT)');
  await untilCaptured(reports, 2);
  await testbed.sendDatagrams({ count: 100 });
  await recorder.stop('AgentStopped');
  expect(await scene.numbers(path)).toHaveLength(100);
});

test.each(attempts)(
  'a disk that becomes read-only while a file is open is reported, and no tcpdump keeps running (%i)',
  async () => {
    await using disk = await breakableDisk(64);
    const message = await strike(disk, { fault: () => disk.abort(), isPermanent: true });
    expect(message).toBe('captures cannot be written: the file system is read-only (EROFS)');
  },
);

test.each(attempts)('a disk with I/O errors is reported, and no tcpdump keeps running (%i)', async () => {
  await using disk = await breakableDisk(64);
  const message = await strike(disk, { fault: () => disk.breakDown(), isPermanent: true });
  expect(message).toBe('captures cannot be written: the disk has an I/O error (EIO)');
});

test.each(attempts)(
  'a disk that is read-only at the start is reported, and the Pod is captured when it is writable (%i)',
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
  readonly repair?: () => Promise<void>;
  /** The disk cannot be repaired while the agent uses it. */
  readonly isPermanent?: boolean;
  /** The fault deletes the files. */
  readonly isDeleted?: boolean;
};

/** Applies a fault, and checks that every datagram is counted. Returns the message of the first failure. */
async function strike(disk: TestDisk, { fault, repair, isPermanent, isDeleted }: Strike): Promise<string> {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed, { captures: disk.path });
  const { recorder, reports, path } = await scene.record(3);
  await using sender = await testbed.startDatagrams(sending);
  await untilSent(testbed, 2_500);
  const before = (await testbed.counters('pod')).sentPackets;
  await fault(path);
  const { message } = await untilFailed(reports);
  if (isPermanent) {
    await until(async () => (await scene.tcpdumps()).length === 0, { what: 'no tcpdump' });
  } else {
    await repair?.();
    await untilCaptured(reports, 2);
    const { sentPackets } = await testbed.counters('pod');
    await untilSent(testbed, sentPackets + 1_000);
  }
  const { sent } = await sender.stop();
  await recorder.stop('AgentStopped');
  expectAllCounted({
    reports,
    // What passes while nothing is captured counts as missed in the next capture: there is none.
    sent: isPermanent ? before : sent,
    numbers: isPermanent || isDeleted ? undefined : await scene.numbers(path),
  });
  // The message is the same each time: one Event, not one for each attempt.
  const failures = reports.filter((report) => report.kind === 'failed');
  expect(new Set(failures.map((failure) => failure.message)).size).toBe(1);
  expect(await scene.tcpdumps()).toEqual([]);
  return message;
}

async function untilFailed(reports: readonly CaptureReport[]) {
  return await until(() => reports.find((report) => report.kind === 'failed'), {
    what: 'the failure to be reported',
    deadlineMs: noticedWithinMs,
  });
}

async function untilCaptured(reports: readonly CaptureReport[], times: number): Promise<void> {
  await until(() => reports.filter(({ kind }) => kind === 'capturing').length >= times, {
    what: `capture ${times}`,
    deadlineMs: 60_000,
  });
}

async function untilSent(testbed: VethTestbed, packets: number): Promise<void> {
  await until(async () => (await testbed.counters('pod')).sentPackets >= packets, {
    what: `${packets} packets sent`,
    deadlineMs: 60_000,
  });
}
