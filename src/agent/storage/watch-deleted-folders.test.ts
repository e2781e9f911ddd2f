import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { watchDeletedFolders } from './watch-deleted-folders.ts';

test('reports each deleted folder once, and no other folder', async () => {
  await using root = await temporaryFolder();
  const deletedFolders = watchDeletedFolders(root.path, { everyMs: 5, onError: fail });
  const reported: string[] = [];
  const names = ['a', 'b', 'c'];
  for (const name of names) await mkdir(join(root.path, name));
  using watched = new DisposableStack();
  for (const name of names) watched.use(deletedFolders.watch(name, () => reported.push(name)));

  await rm(join(root.path, 'b'), { recursive: true });
  await until(() => reported.length > 0, { what: 'the first report' });
  await rename(join(root.path, 'c'), join(root.path, 'd'));
  await until(() => reported.length > 1, { what: 'the second report' });
  expect(reported).toEqual(['b', 'c']);
});

test('reports every folder when the root itself is deleted', async () => {
  await using parent = await temporaryFolder();
  const root = join(parent.path, 'captures');
  await mkdir(join(root, 'a'), { recursive: true });
  const deletedFolders = watchDeletedFolders(root, { everyMs: 5, onError: fail });
  let isReported = false;
  using _watch = deletedFolders.watch('a', () => {
    isReported = true;
  });
  await rm(root, { recursive: true });
  await until(() => isReported, { what: 'the report' });
  expect(isReported).toBe(true);
});

test('reports nothing after the watch is disposed of', async () => {
  await using root = await temporaryFolder();
  for (const name of ['a', 'b']) await mkdir(join(root.path, name));
  const deletedFolders = watchDeletedFolders(root.path, { everyMs: 5, onError: fail });
  const reported: string[] = [];
  const watch = deletedFolders.watch('a', () => reported.push('a'));
  using _other = deletedFolders.watch('b', () => reported.push('b'));
  watch[Symbol.dispose]();
  for (const name of ['a', 'b']) await rm(join(root.path, name), { recursive: true });
  await until(() => reported.length > 0, { what: 'the report of the other' });
  expect(reported).toEqual(['b']);
});

function fail(error: unknown): void {
  expect.fail(String(error));
}
