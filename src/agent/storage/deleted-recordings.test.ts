import { mkdir, readdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { type DeletedRecording, deletedRecordings, deletedRecordingsFile } from './deleted-recordings.ts';

const web: DeletedRecording = {
  namespace: 'shop',
  name: 'web',
  uid: 'a',
  deletedAt: '2026-01-01T00:00:00.000Z',
  atMs: 7,
};

test('deletions are read as they were written, and without any there is no file', async () => {
  await using folder = await temporaryFolder();
  const { read, write } = deletedRecordings(folder.path, { bootId: 'boot', nowMs: () => 10 });
  expect(await read()).toEqual([]);
  await write([]);
  await write([web, { ...web, uid: 'b' }]);
  expect(await read()).toEqual([web, { ...web, uid: 'b' }]);
  await write([]);
  expect(await readdir(folder.path)).toEqual([]);
});

test('those of an earlier boot count from now on, and none is of the future', async () => {
  await using folder = await temporaryFolder();
  await deletedRecordings(folder.path, { bootId: 'before', nowMs: () => 0 }).write([web]);
  const later = deletedRecordings(folder.path, { bootId: 'boot', nowMs: () => 3 });
  expect(await later.read()).toEqual([{ ...web, atMs: 3 }]);
  await later.write([{ ...web, atMs: 99 }]);
  expect(await later.read()).toEqual([{ ...web, atMs: 3 }]);
});

test.each([
  ['nothing', ''],
  ['no JSON', '{"bootId":"boot","deleted":[{"names'],
  ['something else', '[1]'],
  ['names that no Pod has', JSON.stringify({ bootId: 'boot', deleted: [{ ...web, name: '../\n' }] })],
])('a file that has %s is none', async (_what, text) => {
  await using folder = await temporaryFolder();
  await writeFile(join(folder.path, deletedRecordingsFile), text);
  const { read, write } = deletedRecordings(folder.path, { bootId: 'boot', nowMs: () => 10 });
  expect(await read()).toEqual([]);
  await write([web]);
  expect(await read()).toEqual([web]);
});

test('a file that is too large is not read, and a folder in its place is an error', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, deletedRecordingsFile);
  const { read } = deletedRecordings(folder.path, { bootId: 'boot', nowMs: () => 10 });
  await writeFile(path, '');
  await truncate(path, 5_000_000);
  expect(await read()).toEqual([]);
  await using other = await temporaryFolder();
  await mkdir(join(other.path, deletedRecordingsFile));
  await expect(deletedRecordings(other.path, { bootId: 'boot', nowMs: () => 10 }).read()).rejects.toThrow(
    'EISDIR',
  );
});
