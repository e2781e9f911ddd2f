import { readdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ifExists } from '../base/fs-errors.ts';
import { temporaryFolder } from './temporary-folder.ts';

/**
 * The wall clock of those processes that are started with `env`, by libfaketime. Their monotonic clock, the times of
 * files and the clock of everyone else stay real.
 */
export type FakeClock = AsyncDisposable & {
  readonly env: NodeJS.ProcessEnv;
  /** That far from the real time, from now on: +5h, -2d. */
  readonly set: (offset: string) => Promise<void>;
};

export async function fakeClock(offset: string): Promise<FakeClock> {
  const folder = await temporaryFolder();
  const path = join(folder.path, 'offset');
  async function set(next: string): Promise<void> {
    await writeFile(`${path}.new`, `${next}\n`);
    // Read at any moment: never half of it.
    await rename(`${path}.new`, path);
  }
  await set(offset);
  const env = {
    LD_PRELOAD: await library(),
    FAKETIME_TIMESTAMP_FILE: path,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    NO_FAKE_STAT: '1',
  };
  return { env, set, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
}

/** Debian has it in a folder named after the machine. */
async function library(): Promise<string> {
  for (const machine of await readdir('/usr/lib')) {
    const folder = join('/usr/lib', machine, 'faketime');
    const names = machine.endsWith('-linux-gnu') ? await ifExists(readdir(folder)) : undefined;
    if (names?.includes('libfaketimeMT.so.1')) return join(folder, 'libfaketimeMT.so.1');
  }
  throw new Error('libfaketime is not installed: tools/prerequisites.sh test');
}
