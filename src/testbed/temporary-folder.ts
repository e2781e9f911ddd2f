import { chmod, chown, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isLeftover, ownedName } from './owned-names.ts';
import { run } from './run-program.ts';

export type TemporaryFolder = AsyncDisposable & { readonly path: string };

/** The group in which tcpdump runs: it writes where its group may, as in the agent's captures folder. */
const tcpdumpGroup = 10001;

/** An empty folder in which tcpdump's group may write, if root makes it; gone when it is disposed of. */
export async function temporaryFolder(): Promise<TemporaryFolder> {
  await sweepFolders();
  const path = await mkdtemp(join(tmpdir(), `${ownedName()}-`));
  // Unit tests need no root, and no tcpdump writes in theirs.
  if (process.getuid?.() === 0) {
    await chown(path, 0, tcpdumpGroup);
    await chmod(path, 0o770);
  }
  return { path, [Symbol.asyncDispose]: () => remove(path) };
}

async function sweepFolders(): Promise<void> {
  const names = await readdir(tmpdir());
  await Promise.all(names.filter(isLeftover).map((name) => sweep(join(tmpdir(), name))));
}

async function remove(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true });
}

/** Of a test run that was killed. It may have left a file system on it (test-disk.ts). */
async function sweep(path: string): Promise<void> {
  await run(['umount', '--quiet', '--lazy', path]).catch(() => {});
  // Another run sweeps at the same time.
  await remove(path).catch(() => {});
}
