import { join } from 'node:path';
import { ifExists } from '../../base/fs-errors.ts';
import { openPcap } from '../../pcap/pcap-file.ts';
import { readRecord, startedGenerations } from './capture-records.ts';
import type { RingFile } from './file-names.ts';
import { listRingFiles } from './ring-files.ts';
import { orderByAge } from './ring-order.ts';

/** Starts without traffic leave files without packets. Beyond this many of an interface, the time is not worth more reads. */
const maxFiles = 20;

/**
 * The time of the oldest packet in a Pod's folder, in microseconds since 1970; undefined if its oldest files have none.
 * Throws what readdir(2) says of the folder, and what open(2) and read(2) say of a file.
 */
export async function oldestPacketUs(folder: string): Promise<number | undefined> {
  const files = orderByAge(await listRingFiles(folder), await startedGenerations(folder));
  let oldestUs: number | undefined;
  for (const ofInterface of (await byInterface(folder, files)).values()) {
    const timeUs = await firstPacketUs(folder, ofInterface);
    if (timeUs !== undefined) oldestUs = Math.min(timeUs, oldestUs ?? Number.POSITIVE_INFINITY);
  }
  return oldestUs;
}

/** Each interface has a ring of its own. */
async function byInterface(
  folder: string,
  files: readonly RingFile[],
): Promise<ReadonlyMap<string, readonly RingFile[]>> {
  const names = new Map<number, string>();
  for (const generation of new Set(files.map((file) => file.generation)))
    names.set(generation, (await readRecord(folder, generation))?.interface ?? '');
  return Map.groupBy(files, ({ generation }) => names.get(generation) ?? '');
}

async function firstPacketUs(folder: string, files: readonly RingFile[]): Promise<number | undefined> {
  for (const { name } of files.slice(0, maxFiles)) {
    const opened = await ifExists(openPcap(join(folder, name)));
    if (opened?.kind !== 'pcap') continue;
    await using file = opened;
    const timeUs = await file.firstUs();
    if (timeUs !== undefined) return timeUs;
  }
  return undefined;
}
