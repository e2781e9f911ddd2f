import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { openCaptureFiles } from '../../pcap/read/capture-reader.ts';
import { type ReadCapture, readOpened } from '../../pcap/testing/read-capture.ts';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { mergeCommand } from '../merge.ts';
import type { CommandResult } from './read-scene.ts';

export type MergeScreen = {
  readonly stdin?: Readable;
  /** Whether standard input, output and error are terminals. */
  readonly areTerminals?: boolean;
};

/** A folder with captures, and `podcap merge` in it: file names in its arguments are paths in the folder. */
export async function mergeScene() {
  const folder = await temporaryFolder();
  const pathOf = (name: string) => join(folder.path, name);
  return {
    path: folder.path,
    pathOf,
    async file(name: string, ...parts: readonly Uint8Array[]): Promise<string> {
      await writeFile(pathOf(name), Buffer.concat(parts));
      return pathOf(name);
    },
    read: async (name: string): Promise<ReadCapture> =>
      await readOpened(await openCaptureFiles([pathOf(name)])),
    bytes: (name: string) => readFile(pathOf(name)),
    /** Runs the command; `:name` in an argument is the path of that file. */
    merge: (args: readonly string[], screen: MergeScreen = {}) =>
      merge(
        args.map((arg) => (arg.startsWith(':') ? pathOf(arg.slice(1)) : arg)),
        screen,
      ),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

async function merge(
  args: readonly string[],
  { stdin = Readable.from([]), areTerminals = false }: MergeScreen,
): Promise<CommandResult> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()].map((stream) =>
    Object.assign(stream, { isTTY: areTerminals }),
  );
  if (!stdout || !stderr) throw new Error('there is no output');
  const outputs = stdout.toArray();
  const errors = stderr.toArray();
  const code = await mergeCommand(args, {
    env: {},
    stdin: Object.assign(stdin, { isTTY: areTerminals }),
    stdout,
    stderr,
  });
  stdout.end();
  stderr.end();
  return {
    code,
    stdout: Buffer.concat(await outputs),
    stderr: Buffer.concat(await errors).toString(),
  };
}

/** The interface and the data of each packet. */
export function linesOf({ packets, interfaces }: ReadCapture): string[] {
  return packets.map(({ interfaceIndex, data }) => `${interfaces[interfaceIndex]?.name} ${data}`);
}
