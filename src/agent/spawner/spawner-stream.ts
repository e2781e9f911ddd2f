import { closeSync, constants, open } from 'node:fs';
import { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';

/**
 * Opens a pipe once more that podcap-spawner has open (docs/decisions/0039-the-agent-opens-the-pipe-of-a-tap-in-proc.md).
 * Undefined if the spawner is gone, or no descriptor is left. Never rejects.
 */
export async function openStream(spawnerPid: number, fd: number): Promise<Readable | undefined> {
  try {
    const path = `/proc/${spawnerPid}/fd/${fd}`;
    return readerOf(await promisify(open)(path, constants.O_RDONLY | constants.O_NONBLOCK));
  } catch {
    return undefined;
  }
}

function readerOf(fd: number): Readable {
  try {
    return new Socket({ fd, readable: true, writable: false });
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}
