import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import {
  type CaptureOptions,
  type OpenedCapture,
  openCaptureFiles,
  openCaptureStream,
} from '../pcap/capture-reader.ts';

/** A capture that a user names: a path, or `-` for standard input. */
export type NamedCapture = {
  readonly name: string;
  /** The length of a regular file, which can be read twice; undefined for what can be read only once. */
  readonly fileBytes: number | undefined;
  readonly open: (options?: CaptureOptions) => Promise<OpenedCapture>;
};

/** Finds what the user named. Throws the errors of stat(2); opening throws those of open(2) and read(2). */
export async function namedCapture(name: string, stdin: Readable): Promise<NamedCapture> {
  if (name === '-') return streamed('standard input', () => stdin);
  const stats = await stat(name);
  if (!stats.isFile() && !stats.isDirectory()) return streamed(name, () => createReadStream(name));
  return {
    name,
    fileBytes: stats.size,
    open: (options) => openCaptureFiles([name], options),
  };
}

function streamed(name: string, stream: () => Readable): NamedCapture {
  return {
    name,
    fileBytes: undefined,
    open: (options) => openCaptureStream(stream(), { ...options, name }),
  };
}
