import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseRingFile, type RingFile } from '../../src/agent/storage/file-names.ts';
import { orderByAge } from '../../src/agent/storage/ring-order.ts';
import { ifExists } from '../../src/base/fs-errors.ts';
import { until } from '../../src/base/until.ts';
import { openPcap } from '../../src/pcap/pcap-file.ts';
import { capturedNumbers } from '../../src/pcap/testing/captured-numbers.ts';

/** The capture files of a folder, oldest first. */
export async function ringFiles(folder: string): Promise<RingFile[]> {
  const names = (await ifExists(readdir(folder))) ?? [];
  return orderByAge(
    names.flatMap((name) => parseRingFile(name) ?? []),
    new Set(),
  );
}

/** The generations that have files, oldest first. */
export async function generationsIn(folder: string): Promise<number[]> {
  return [...new Set((await ringFiles(folder)).map(({ generation }) => generation))];
}

/** The last of `generationsIn`; 0 while there is no file. */
export async function newestGeneration(folder: string): Promise<number> {
  return Math.max(0, ...(await generationsIn(folder)));
}

/** Waits until that generation has files. */
export async function waitForGeneration(folder: string, generation: number): Promise<void> {
  await until(async () => (await generationsIn(folder)).includes(generation), {
    what: `files of generation ${generation}`,
  });
}

/** Waits until the ring has that number of files. */
export async function waitForFiles(folder: string, count: number): Promise<void> {
  await until(async () => (await ringFiles(folder)).length === count, {
    what: `${count} files`,
    deadlineMs: 30_000,
  });
}

/** The numbered datagrams in the files of all generations after that one, in the order of the files. */
export async function numbersIn(folder: string, { after = 0 } = {}): Promise<number[]> {
  const files = (await ringFiles(folder)).filter(({ generation }) => generation > after);
  // A running ring deletes files between listing and reading: then list again.
  const read = await ifExists(Promise.all(files.map(({ name }) => capturedNumbers(join(folder, name)))));
  return read?.flat() ?? (await numbersIn(folder, { after }));
}

/** Waits until more than `count` datagrams are in the files of the generations after that one. */
export async function waitForDatagrams(
  folder: string,
  count: number,
  { after = 0, deadlineMs = 10_000 } = {},
): Promise<void> {
  await until(async () => (await numbersIn(folder, { after })).length > count, {
    what: `${count} datagrams of generations after ${after} in ${folder}`,
    deadlineMs,
  });
}

/** Waits until datagram `last` is the last one in the files, and returns the numbers of all. */
export async function waitForLastDatagram(folder: string, last: number): Promise<number[]> {
  return await until(
    async () => {
      const numbers = await numbersIn(folder);
      return numbers.at(-1) === last && numbers;
    },
    { what: `datagram ${last} in a file`, deadlineMs: 60_000 },
  );
}

/** When the first packet after that generation was captured, in milliseconds since 1970. */
export async function firstPacketMsAfter(folder: string, generation: number): Promise<number | undefined> {
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

/** The SHA-256 of each capture file up to that generation, by file name. */
export async function digestsUpTo(folder: string, generation: number): Promise<Record<string, string>> {
  const files = (await ringFiles(folder)).filter((file) => file.generation <= generation);
  const entries = files.map(async ({ name }) => {
    const content = await readFile(join(folder, name));
    return [name, createHash('sha256').update(content).digest('hex')] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}
