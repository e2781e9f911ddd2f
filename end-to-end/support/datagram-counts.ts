import { readdir } from 'node:fs/promises';
import { expect } from 'vitest';
import { readRecords, totalsOf } from '../../src/agent/storage/capture-records.ts';
import {
  parseRecordName,
  parseRingFile,
  podEndName,
  recordingNoteName,
} from '../../src/agent/storage/file-names.ts';
import { numbersOf, packetsIn } from './captured-packets.ts';
import { expectConsecutive, range } from './consecutive.ts';
import { printFigures } from './print-figures.ts';
import { deleteSendingPod, type SendingPod } from './sending-pod.ts';
import type { TestCluster } from './test-cluster.ts';

/** What became of the datagrams of a Pod. */
export type DatagramCounts = {
  /** Starts of tcpdump that captured something. */
  readonly generations: number;
  readonly received: number;
  readonly captured: number;
  /** Missed, dropped and lost at stop together, according to the records. */
  readonly reported: number;
};

/** The counts for a Pod whose sender never restarted. */
export type SentAndCaptured = DatagramCounts & {
  /** Received, and in no file. */
  readonly missing: number;
};

/** The counts for a Pod whose sender restarted. */
export type RestartedAndCaptured = DatagramCounts & {
  /** Starts of the sender after which a datagram was captured. */
  readonly senderStarts: number;
};

/** Deletes the Pod, and counts what became of each of its datagrams. */
export async function deleteAndCount(cluster: TestCluster, pod: SendingPod): Promise<SentAndCaptured> {
  await deleteSendingPod(cluster, pod);
  const { runs, ...counts } = await countsOf(pod);
  for (const numbers of runs) expectConsecutive(numbers);
  const captured = new Set(runs.flat());
  const missing = range(0, pod.receiver.received().last + 1).filter((number) => !captured.has(number)).length;
  expect(counts.reported).toBeGreaterThanOrEqual(missing);
  return { ...counts, captured: captured.size, missing };
}

/** Deletes the Pods, prints the sums of their counts, and expects that each was captured by a single tcpdump. */
export async function expectOneCapture(
  cluster: TestCluster,
  what: string,
  pods: readonly SendingPod[],
): Promise<void> {
  const counts = await Promise.all(pods.map((pod) => deleteAndCount(cluster, pod)));
  const sum = (key: 'received' | 'captured' | 'missing' | 'reported') =>
    counts.reduce((total, each) => total + each[key], 0);
  printFigures(`${what}: ${pods.length}`, {
    received: sum('received'),
    captured: sum('captured'),
    missing: sum('missing'),
    reported: sum('reported'),
  });
  expect(counts.map(({ generations }) => generations)).toEqual(pods.map(() => 1));
}

/** The same as deleteAndCount, for a Pod whose sender restarted. */
export async function deleteAndCountRestarts(
  cluster: TestCluster,
  pod: SendingPod,
): Promise<RestartedAndCaptured> {
  await deleteSendingPod(cluster, pod);
  return await countRestarts(pod);
}

/** For a Pod that has ended and whose sender restarted, each time at 0: within a capture only restarts leave a gap. */
export async function countRestarts(pod: SendingPod): Promise<RestartedAndCaptured> {
  const { runs, ...counts } = await countsOf(pod);
  for (const numbers of runs) {
    expect(
      numbers.filter((number, i) => i > 0 && number !== 0 && number !== (numbers[i - 1] ?? -1) + 1),
    ).toEqual([]);
  }
  const captured = runs.flat();
  const isStart = (number: number, i: number) => number < (captured[i - 1] ?? Number.POSITIVE_INFINITY);
  return { ...counts, captured: captured.length, senderStarts: captured.filter(isStart).length };
}

/** What both have in common; `runs` are the numbers that each generation captured. */
async function countsOf({ folder, receiver }: SendingPod) {
  expect(await unexpectedFiles(folder)).toEqual([]);
  const byGeneration = Map.groupBy(await packetsIn(folder), ({ generation }) => generation);
  const runs = [...byGeneration.values()].map(numbersOf).filter((numbers) => numbers.length > 0);
  const { missed, dropped, lostAtStop } = totalsOf(await readRecords(folder));
  return {
    runs,
    generations: runs.length,
    received: receiver.received().count,
    reported: missed + dropped + lostAtStop,
  };
}

/** Files that are neither a record, a note, nor a capture file with a record. */
async function unexpectedFiles(folder: string): Promise<string[]> {
  const names = await readdir(folder);
  const records = new Set(names.map(parseRecordName));
  return names.filter((name) => {
    const file = parseRingFile(name);
    if (file) return !records.has(file.generation);
    const written = name.replace(/\.new$/, '');
    return ![podEndName, recordingNoteName].includes(written) && parseRecordName(written) === undefined;
  });
}
