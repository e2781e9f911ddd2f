import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { readRecords, totalsOf } from '../../src/agent/storage/capture-records.ts';
import { parseRecordName, parseRingFile } from '../../src/agent/storage/file-names.ts';
import { openPcap } from '../../src/pcap/pcap-file.ts';
import { capturedNumbers } from '../../src/testbed/captured-numbers.ts';
import { until } from '../../src/testbed/until.ts';
import { numbersOf, packetsIn } from './captured-packets.ts';
import { type HostReceiver, hostReceiver } from './host-receiver.ts';
import { sender } from './pod-manifests.ts';
import { type RunningPod, ringFiles, run, type TestCluster, untilFolder } from './test-cluster.ts';

/** Sends numbered datagrams to this machine all the while, and is being captured. */
export type SendingPod = RunningPod & { readonly folder: string; readonly receiver: HostReceiver };

export async function sendingPod(
  cluster: TestCluster,
  { name, node, rate = 200 }: { readonly name: string; readonly node: string; readonly rate?: number },
): Promise<SendingPod> {
  const receiver = await hostReceiver();
  const { address: to, port } = receiver;
  await cluster.create(sender({ name, node, to, port, rate, bytes: 200, annotation: '100' }));
  const pod = await cluster.running(name);
  await cluster.event(pod.uid, 'CaptureStarted');
  const folder = await untilFolder(pod);
  // A fault before the kernel has handed over the first block would leave a capture without a datagram.
  await until(async () => (await lengthAfter(folder, 0)) > 20, { what: `datagrams of ${name} in a file` });
  return { ...pod, folder, receiver };
}

/** The Pod's end, and what became of each of its datagrams. */
export async function endSending(cluster: TestCluster, pod: SendingPod): Promise<SentAndCaptured> {
  await end(cluster, pod);
  return await accountOf(pod);
}

/** The same of a Pod whose sender began anew several times. */
export async function endLives(cluster: TestCluster, pod: SendingPod) {
  await end(cluster, pod);
  return await accountOfLives(pod);
}

async function end(cluster: TestCluster, { name, uid, receiver }: SendingPod): Promise<void> {
  await cluster.delete(name, '--grace-period=1', '--ignore-not-found');
  await cluster.event(uid, 'CaptureStopped', 'the Pod ended');
  await receiver[Symbol.asyncDispose]();
}

export type SentAndCaptured = {
  /** Starts of tcpdump that captured something. */
  readonly generations: number;
  readonly heard: number;
  readonly captured: number;
  /** Of those that were heard: in no file. */
  readonly missing: number;
  /** Missed, dropped and lost together, as the records tell. */
  readonly told: number;
};

/** Of a Pod whose sender lived all the while. Within each capture no datagram is missing; between them it is told. */
export async function accountOf({ folder, receiver }: SendingPod): Promise<SentAndCaptured> {
  expect(await strangersIn(folder)).toEqual([]);
  const byGeneration = Map.groupBy(await packetsIn(folder), ({ generation }) => generation);
  const runs = [...byGeneration.values()].map(numbersOf).filter((numbers) => numbers.length > 0);
  for (const numbers of runs) expect(numbers).toEqual(run(numbers[0] ?? Number.NaN, numbers.length));
  const captured = new Set(runs.flat());
  const { count, last } = receiver.heard();
  const missing = run(0, last + 1).filter((number) => !captured.has(number)).length;
  const { missed, dropped, lostAtStop } = totalsOf(await readRecords(folder));
  const told = missed + dropped + lostAtStop;
  expect(told).toBeGreaterThanOrEqual(missing);
  return { generations: runs.length, heard: count, captured: captured.size, missing, told };
}

/**
 * Of a Pod whose sender began anew several times, each time at 0: how many were heard, how many are in files, and how
 * many of them the records tell to be in none. Within a capture none is missing but at a new beginning.
 */
export async function accountOfLives({ folder, receiver }: SendingPod) {
  expect(await strangersIn(folder)).toEqual([]);
  const byGeneration = Map.groupBy(await packetsIn(folder), ({ generation }) => generation);
  const runs = [...byGeneration.values()].map(numbersOf).filter((numbers) => numbers.length > 0);
  for (const numbers of runs) {
    expect(
      numbers.filter((number, i) => i > 0 && number !== 0 && number !== (numbers[i - 1] ?? -1) + 1),
    ).toEqual([]);
  }
  const { missed, dropped, lostAtStop } = totalsOf(await readRecords(folder));
  const captured = runs.flat();
  return {
    generations: runs.length,
    lives: captured.filter((number, i) => number < (captured[i - 1] ?? Number.POSITIVE_INFINITY)).length,
    heard: receiver.heard().count,
    captured: captured.length,
    told: missed + dropped + lostAtStop,
  };
}

/** What no capture owns: neither a record nor a capture file with one. */
export async function strangersIn(folder: string): Promise<string[]> {
  const names = await readdir(folder);
  const records = new Set(names.map(parseRecordName));
  return names.filter((name) => {
    const file = parseRingFile(name);
    return file ? !records.has(file.generation) : parseRecordName(name.replace(/\.new$/, '')) === undefined;
  });
}

export async function newestGeneration(folder: string): Promise<number> {
  return Math.max(0, ...(await ringFiles(folder)).map(({ generation }) => generation));
}

/** How many datagrams stand in the files of the generations after that one. */
export async function lengthAfter(folder: string, generation: number): Promise<number> {
  const files = (await ringFiles(folder)).filter((file) => file.generation > generation);
  const numbers = await Promise.all(files.map(({ name }) => capturedNumbers(join(folder, name))));
  return numbers.flat().length;
}

/** When the first packet after that generation was captured, in milliseconds since 1970. */
export async function firstPacketAfter(folder: string, generation: number): Promise<number | undefined> {
  for (const file of await ringFiles(folder)) {
    if (file.generation <= generation) continue;
    const opened = await openPcap(join(folder, file.name));
    if (opened.kind !== 'pcap') continue;
    await using pcap = opened;
    const us = await pcap.firstUs();
    if (us !== undefined) return us / 1_000;
  }
  return undefined;
}

/** The content of each capture file up to that generation, by its name. */
export async function digestsUpTo(folder: string, generation: number): Promise<Record<string, string>> {
  const files = (await ringFiles(folder)).filter((file) => file.generation <= generation);
  const entries = files.map(async ({ name }) => {
    const content = await readFile(join(folder, name));
    return [name, createHash('sha256').update(content).digest('hex')] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}
