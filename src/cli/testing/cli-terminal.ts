import { PassThrough, Readable } from 'node:stream';
import type { CliTerminal } from '../cli-command.ts';

export type TestScreen = {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly env?: NodeJS.ProcessEnv;
  readonly stdin?: Readable & { readonly isTTY?: boolean };
};

/** A terminal, or pipes, whose texts can be read. */
export function cliTerminal({
  isTTY = false,
  columns = 80,
  env = {},
  stdin = Readable.from([]),
}: TestScreen = {}) {
  const [stdout, stderr] = [screenPart(isTTY, columns), screenPart(isTTY, columns)];
  const terminal: CliTerminal = { env, stdin, stdout: stdout.stream, stderr: stderr.stream };
  return { terminal, stdout: stdout.text, stderr: stderr.text, stdoutBytes: stdout.bytes };
}

function screenPart(isTTY: boolean, columns: number) {
  const chunks: Buffer[] = [];
  const stream = Object.assign(new PassThrough(), { isTTY, columns });
  stream.on('data', (chunk: Buffer) => chunks.push(Buffer.from(chunk)));
  const bytes = () => Buffer.concat(chunks);
  return { stream, bytes, text: () => bytes().toString() };
}
