import { readdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ifExists } from '../base/fs-errors.ts';
import { temporaryFolder } from './temporary-folder.ts';

/**
 * A fake wall clock, by libfaketime, for the processes that are started with `env`. Their monotonic clock, the times of
 * files and the clocks of all other processes stay real.
 */
export type FakeClock = AsyncDisposable & {
  readonly env: NodeJS.ProcessEnv;
  /** Sets the offset from the real time, for example +5h or -2d. */
  readonly set: (offset: string) => Promise<void>;
};

/** Needs libfaketime; throws if it is not installed. */
export async function fakeClock(offset: string): Promise<FakeClock> {
  const folder = await temporaryFolder();
  const path = join(folder.path, 'offset');
  async function set(next: string): Promise<void> {
    await writeFile(`${path}.new`, `${next}\n`);
    // A process can read it at any moment, and must not find half of it.
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

/** Debian has it in a folder named after the architecture. */
async function library(): Promise<string> {
  for (const architecture of await readdir('/usr/lib')) {
    const folder = join('/usr/lib', architecture, 'faketime');
    const names = architecture.endsWith('-linux-gnu') ? await ifExists(readdir(folder)) : undefined;
    if (names?.includes('libfaketimeMT.so.1')) return join(folder, 'libfaketimeMT.so.1');
  }
  throw new Error('libfaketime is not installed: tools/prerequisites.sh test');
}
