import { constants, createReadStream, open, type Stats } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import {
  type OpenedCapture,
  openCaptureFiles,
  openCaptureStream,
  type ReaderOptions,
} from '../pcap/read/capture-reader.ts';

/** A capture that a user names: a path, or `-` for standard input. */
export type NamedCapture = {
  readonly name: string;
  /** The length of a regular file, which can be read twice; undefined for what can be read only once. */
  readonly fileBytes: number | undefined;
  /** Which regular file it is, whatever its path; undefined for others. */
  readonly fileId?: string;
  readonly open: (options?: ReaderOptions) => Promise<OpenedCapture>;
};

/** Finds what the user named. Throws the errors of stat(2); opening throws those of open(2) and read(2). */
export async function namedCapture(name: string, stdin: Readable): Promise<NamedCapture> {
  if (name === '-') return streamed('standard input', async () => stdin);
  const stats = await stat(name);
  if (stats.isFIFO()) return streamed(name, () => pipeStream(name));
  if (!stats.isFile() && !stats.isDirectory()) return streamed(name, async () => createReadStream(name));
  // A link that a person gives is followed.
  const path = await realpath(name);
  return {
    name,
    fileBytes: stats.size,
    fileId: fileIdOf(stats),
    open: (options) => openCaptureFiles([path], options),
  };
}

/** The same for all paths of one file. */
export function fileIdOf({ dev, ino }: Pick<Stats, 'dev' | 'ino'>): string {
  return `${dev} ${ino}`;
}

function streamed(name: string, stream: () => Promise<Readable>): NamedCapture {
  return {
    name,
    fileBytes: undefined,
    open: async (options) => await openCaptureStream(await stream(), { ...options, name }),
  };
}

/**
 * A pipe, read when there is something in it. A read stream of a file would wait for its writer and for its bytes in one
 * of the few threads of libuv, and some silent pipes would stop all reading.
 */
async function pipeStream(name: string): Promise<Readable> {
  const fd = await promisify(open)(name, constants.O_RDONLY | constants.O_NONBLOCK);
  return new Socket({ fd, readable: true, writable: false });
}
