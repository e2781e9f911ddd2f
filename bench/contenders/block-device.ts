import { readFile, stat } from 'node:fs/promises';
import { ifExists } from '../../src/base/fs-errors.ts';

/** Linux counts a block device in these, whatever the device has (Documentation/block/stat.rst). */
const sectorBytes = 512;

/** How many bytes were written to the block device that this folder is on, by all of the machine, since boot. */
export async function bytesWritten(folder: string): Promise<number> {
  const { dev } = await stat(folder);
  const path = `/sys/dev/block/${major(dev)}:${minor(dev)}/stat`;
  const counters = (await ifExists(readFile(path, 'utf8')))?.trim().split(/\s+/);
  const sectors = counters?.[6];
  if (sectors === undefined) throw new Error(`${folder} is on no block device: set TMPDIR to one that is`);
  return Number(sectors) * sectorBytes;
}

/** makedev(3). */
function major(device: number): number {
  return Math.floor(device / 256) % 4_096;
}

function minor(device: number): number {
  return (device % 256) + Math.floor(device / 2 ** 20) * 256;
}
