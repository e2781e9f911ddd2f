import { join } from 'node:path';
import { ifExists } from '../../base/fs-errors.ts';
import { openPcap } from '../../pcap/pcap-file.ts';
import { startedGenerations } from './capture-records.ts';
import { listRingFiles } from './ring-files.ts';
import { orderByAge } from './ring-order.ts';

/** Starts without traffic leave files without packets. Beyond this many, the time is not worth more reads. */
const maxFiles = 20;

/**
 * The time of the oldest packet in a Pod's folder, in microseconds since 1970; undefined if its oldest files have none.
 * Throws what readdir(2) says of the folder, and what open(2) and read(2) say of a file.
 */
export async function oldestPacketUs(folder: string): Promise<number | undefined> {
  const files = orderByAge(await listRingFiles(folder), await startedGenerations(folder));
  for (const { name } of files.slice(0, maxFiles)) {
    const opened = await ifExists(openPcap(join(folder, name)));
    if (opened?.kind !== 'pcap') continue;
    await using file = opened;
    const timeUs = await file.firstUs();
    if (timeUs !== undefined) return timeUs;
  }
  return undefined;
}
