import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { type FolderWatchOptions, watchFolder } from './watch-folder.ts';

const log = pino({ level: 'silent' });

test.each<[string, (folder: string) => Promise<void>]>([
  ['renamed', (folder) => rename(folder, `${folder}-old`)],
  // ext4 reuses the inode for the next folder.
  ['removed', (folder) => rm(folder, { recursive: true })],
])('a folder that was %s and made again is watched again, each of 20 times', async (_how, replace) => {
  await using parent = await temporaryFolder();
  const folder = join(parent.path, 'results');
  await mkdir(folder);
  await using watched = await watch({ folder, resyncMs: 20 });
  for (let i = 0; i < 20; i += 1) {
    await replace(folder);
    await mkdir(folder);
    await until(
      async () => {
        await writeFile(join(folder, `new-${i}`), `${performance.now()}`);
        return watched.names.includes(`new-${i}`);
      },
      { what: 'the event of a file in the new folder' },
    );
    await rm(`${folder}-old`, { recursive: true, force: true });
  }
  expect(watched.names).toContain('new-19');
});

test('a file that is written many times while another one is handled is not handled each time', async () => {
  await using folder = await temporaryFolder();
  const { promise: handled, resolve: handle } = Promise.withResolvers<void>();
  const names: string[] = [];
  await using _watch = await watchFolder({
    folder: folder.path,
    resyncMs: 3_600_000,
    log,
    onResync: async () => {},
    onName: async (name) => {
      names.push(name);
      await handled;
    },
  });
  await writeFile(join(folder.path, 'first'), '');
  await until(() => names.length === 1, { what: 'the first to be handled' });
  for (let i = 0; i < 1_000; i += 1) await writeFile(join(folder.path, 'second'), `${i}`);
  await writeFile(join(folder.path, 'last'), '');
  handle();
  await until(() => names.includes('last'), { what: 'the last' });
  expect(names.filter((name) => name === 'second').length).toBeLessThan(10);
});

test('a failed resync is followed by another', async () => {
  await using folder = await temporaryFolder();
  let resyncs = 0;
  await using _watch = await watchFolder({
    folder: folder.path,
    resyncMs: 1,
    log,
    onName: async () => {},
    onResync: async () => {
      resyncs += 1;
      await readdir(join(folder.path, 'missing'));
    },
  });
  expect(await until(() => resyncs >= 5 && resyncs, { what: 'five resyncs' })).toBeGreaterThan(1);
});

async function watch(options: Pick<FolderWatchOptions, 'folder' | 'resyncMs'>) {
  const names: string[] = [];
  const watching = await watchFolder({
    ...options,
    log,
    onName: async (name) => {
      names.push(name);
    },
    onResync: async () => {},
  });
  return { names, [Symbol.asyncDispose]: () => watching[Symbol.asyncDispose]() };
}
