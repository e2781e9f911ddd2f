import { mkdir, open, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from '../base/fs-errors.ts';
import { compileTestProgram } from './compile.ts';
import { run } from './run-program.ts';
import { tcpdumpGroup, temporaryFolder } from './temporary-folder.ts';

/** A small file system to which tcpdump's group can write; unmounted and deleted when it is disposed of. */
export type TestDisk = AsyncDisposable & {
  readonly path: string;
  /** Uses all the free space, until `free`. */
  readonly fill: () => Promise<void>;
  /** Uses space until no more than that ratio of the disk is free, until `free`. */
  readonly fillTo: (minFreeRatio: number) => Promise<void>;
  /** Uses all the free inodes, until `free`. */
  readonly fillInodes: () => Promise<void>;
  readonly free: () => Promise<void>;
  readonly remount: (options: 'ro' | 'rw') => Promise<void>;
};

/** A disk in memory (tmpfs). */
export async function memoryDisk(megabytes: number): Promise<TestDisk> {
  const options = `size=${megabytes}m,nr_inodes=200,mode=0770,gid=${tcpdumpGroup}`;
  return await mounted(['-t', 'tmpfs', '-o', options, 'podcap-test']);
}

/** An ext4 on a loop device, which can fail as a disk of a Node can. */
export type BreakableDisk = TestDisk & {
  /** Makes every access fail with an I/O error. */
  readonly breakDown: () => Promise<void>;
  /** Makes the file system read-only, as after an error that it has found, for open files too. */
  readonly abort: () => Promise<void>;
};

/** Creates a disk of that size on a loop device. */
export async function breakableDisk(megabytes: number): Promise<BreakableDisk> {
  await using made = new AsyncDisposableStack();
  const image = join(made.use(await temporaryFolder()).path, 'image');
  await run(['truncate', `--size=${megabytes}M`, image]);
  await run(['mkfs.ext4', '-q', '-m', '0', '-E', `root_owner=0:${tcpdumpGroup}`, image]);
  const disk = made.use(await mounted(['-o', 'loop', image]));
  await run(['chmod', '0770', disk.path]);
  const shutdown = await compileTestProgram('shut-down-disk');
  const kept = made.move();
  return {
    ...disk,
    async breakDown() {
      await run([shutdown, disk.path]);
    },
    async abort() {
      await run(['mount', '-o', 'remount,abort', disk.path]);
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

async function mounted(source: readonly string[]): Promise<TestDisk> {
  const folder = await temporaryFolder();
  const { path } = folder;
  const filler = join(path, 'filler');
  await run(['mount', ...source, path]);
  return {
    path,
    async fill() {
      await using file = await open(filler, 'a');
      // The last page too: a capture record of some hundred bytes needs one.
      for (const bytes of [65_536, 4_096]) await untilFull(() => file.appendFile(Buffer.alloc(bytes, 1)));
    },
    async fillTo(minFreeRatio) {
      await using file = await open(filler, 'a');
      const isLeft = async () => {
        const { bavail, blocks } = await statfs(path);
        return bavail > minFreeRatio * blocks;
      };
      while (await isLeft()) await file.appendFile(Buffer.alloc(65_536, 1));
    },
    async fillInodes() {
      await mkdir(`${filler}s`);
      let count = 0;
      await untilFull(async () => await writeFile(join(`${filler}s`, String((count += 1))), ''));
    },
    async free() {
      for (const each of [filler, `${filler}s`]) await rm(each, { recursive: true, force: true });
    },
    async remount(options) {
      await run(['mount', '-o', `remount,${options}`, path]);
    },
    async [Symbol.asyncDispose]() {
      await run(['umount', '--lazy', path]);
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** Repeats `use` until the disk is full. */
async function untilFull(use: () => Promise<void>): Promise<void> {
  try {
    for (;;) await use();
  } catch (error) {
    if (!hasCode(error, 'ENOSPC')) throw error;
  }
}
