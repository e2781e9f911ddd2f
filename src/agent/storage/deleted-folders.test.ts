import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { until } from '../../testbed/until.ts';
import { watchDeletedFolders } from './deleted-folders.ts';

test('tells of each folder once when it is not there any more, and of no other', async () => {
  await using root = await temporaryFolder();
  const missing = watchDeletedFolders(root.path, { everyMs: 5, onError: fail });
  const told: string[] = [];
  const names = ['a', 'b', 'c'];
  for (const name of names) await mkdir(join(root.path, name));
  using watched = new DisposableStack();
  for (const name of names) watched.use(missing.watch(name, () => told.push(name)));

  await rm(join(root.path, 'b'), { recursive: true });
  await until(() => told.length > 0, { what: 'the first to be told' });
  await rename(join(root.path, 'c'), join(root.path, 'd'));
  await until(() => told.length > 1, { what: 'the second to be told' });
  expect(told).toEqual(['b', 'c']);
});

test('the root itself gone: all are', async () => {
  await using parent = await temporaryFolder();
  const root = join(parent.path, 'captures');
  await mkdir(join(root, 'a'), { recursive: true });
  const missing = watchDeletedFolders(root, { everyMs: 5, onError: fail });
  let isTold = false;
  using _watch = missing.watch('a', () => {
    isTold = true;
  });
  await rm(root, { recursive: true });
  await until(() => isTold, { what: 'the folder to be told' });
  expect(isTold).toBe(true);
});

test('who has disposed of it is told nothing', async () => {
  await using root = await temporaryFolder();
  for (const name of ['a', 'b']) await mkdir(join(root.path, name));
  const missing = watchDeletedFolders(root.path, { everyMs: 5, onError: fail });
  const told: string[] = [];
  const watch = missing.watch('a', () => told.push('a'));
  using _other = missing.watch('b', () => told.push('b'));
  watch[Symbol.dispose]();
  for (const name of ['a', 'b']) await rm(join(root.path, name), { recursive: true });
  await until(() => told.length > 0, { what: 'the other to be told' });
  expect(told).toEqual(['b']);
});

function fail(error: unknown): void {
  expect.fail(String(error));
}
