import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';

/** What capinfos says about a file. */
export type Capinfos = {
  /** The packets that it could read; undefined if it is no capture for it. */
  readonly packets: number | undefined;
  /** Whether it could read all of the file. */
  readonly isWhole: boolean;
  /** The earliest and the latest time, in seconds with digits as the file has; "n/a" without packets. */
  readonly earliest: string | undefined;
  readonly latest: string | undefined;
};

/** Asks capinfos about all files at once; the result has their order. */
export async function capinfos(files: readonly string[]): Promise<readonly Capinfos[]> {
  const child = spawn('capinfos', ['-T', '-r', '-m', '-M', '-S', '-c', '-a', '-e', ...files], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [lines, errors] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const rows = new Map(
    lines
      .trimEnd()
      .split('\n')
      .map((line) => [line.split(',')[0], line.split(',')]),
  );
  return files.map((file) => {
    const row = rows.get(file);
    // "after reading 18 packets from", and only then the row, or no row.
    const partial = errors.split('\n').find((line) => line.includes(`packets from "${file}"`));
    const isRefused = errors.includes(`"${file}"`);
    const count = /after reading (\d+) packets/.exec(partial ?? '')?.[1] ?? row?.[1];
    return {
      packets: count === undefined ? undefined : Number(count),
      isWhole: !isRefused,
      earliest: row?.[2],
      latest: row?.[3],
    };
  });
}
