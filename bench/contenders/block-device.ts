import { readFile, stat } from 'node:fs/promises';
import { ifExists } from '../../src/base/fs-errors.ts';

/** The unit of the kernel's block statistics, whatever the device's sector size (Documentation/block/stat.rst). */
const sectorBytes = 512;

/** Bytes that the machine has written since boot to the block device under this folder; throws if there is none. */
export async function bytesWritten(folder: string): Promise<number> {
  const { dev } = await stat(folder);
  const path = `/sys/dev/block/${major(dev)}:${minor(dev)}/stat`;
  const counters = (await ifExists(readFile(path, 'utf8')))?.trim().split(/\s+/);
  const sectors = counters?.[6];
  if (sectors === undefined)
    throw new Error(`${folder} is not on a block device: set TMPDIR to a folder that is`);
  return Number(sectors) * sectorBytes;
}

/** The encoding of makedev(3). */
function major(device: number): number {
  return Math.floor(device / 256) % 4_096;
}

function minor(device: number): number {
  return (device % 256) + Math.floor(device / 2 ** 20) * 256;
}
