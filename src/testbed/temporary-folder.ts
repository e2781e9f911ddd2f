import { chmod, chown, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isLeftover, ownedName } from './owned-names.ts';
import { run } from './run-program.ts';

/** An empty folder for one test; deleted when it is disposed of. */
export type TemporaryFolder = AsyncDisposable & { readonly path: string };

/** tcpdump's group: it can write to the folder, as to the agent's captures folder. */
export const tcpdumpGroup = 10_001;

/** Creates the folder; if this process is root, tcpdump's group can write to it. */
export async function temporaryFolder(parent = tmpdir()): Promise<TemporaryFolder> {
  await sweepFolders(parent);
  const path = await mkdtemp(join(parent, `${ownedName()}-`));
  // Unit tests run without root and start no tcpdump.
  if (process.getuid?.() === 0) {
    await chown(path, 0, tcpdumpGroup);
    await chmod(path, 0o770);
  }
  return { path, [Symbol.asyncDispose]: () => remove(path) };
}

async function sweepFolders(parent: string): Promise<void> {
  const names = await readdir(parent);
  await Promise.all(names.filter(isLeftover).map((name) => sweep(join(parent, name))));
}

async function remove(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true });
}

/** Deletes the folder of a test run that was killed. A file system may still be mounted on it (test-disk.ts). */
async function sweep(path: string): Promise<void> {
  await run(['umount', '--quiet', '--lazy', path]).catch(() => {});
  // Another run may delete it at the same time.
  await remove(path).catch(() => {});
}
