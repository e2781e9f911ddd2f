import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { capturedPodsFile } from '../src/agent/storage/captured-pods.ts';
import { deletedRecordingsFile } from '../src/agent/storage/deleted-recordings.ts';
import * as fileNames from '../src/agent/storage/file-names.ts';

const { folderName, frozenFolderName, recordName, ringFileBase } = fileNames;
const script = join(import.meta.dirname, 'chart/files/purge.sh');
const uid = '6d1f4c1e-9f5c-4b2e-8f0e-3a2b1c0d9e8f';
/** All names that are constants: a new one must be purged, too. */
const notes = Object.values(fileNames).filter((each) => typeof each === 'string');
/** What an agent leaves in a folder, including what it was replacing when it was killed. */
const ofAnAgent = [
  `${ringFileBase('web', 1)}000`,
  `${ringFileBase('web', 12)}7`,
  recordName(1),
  `${recordName(2)}.new`,
  ...notes.flatMap((name) => [name, `${name}.new`, `${name}.0123456789ab.new`]),
  `${ringFileBase('web', 12)}8.new`,
];

let captures: string;
beforeEach(async () => {
  captures = await mkdtemp(join(tmpdir(), 'podcap-purge-'));
});
afterEach(() => rm(captures, { recursive: true }));

test('deletes the files that agents wrote, and their folders', async () => {
  const longest = { namespace: 'n'.repeat(63), pod: 'p'.repeat(253), uid };
  await make(folderName({ namespace: 'default', pod: 'web.example', uid }), ofAnAgent);
  await make(folderName(longest), [`${ringFileBase(longest.pod, 999_999_999)}000`]);
  await make(folderName({ namespace: 'default', pod: 'never-captured', uid }), []);
  const crashed = folderName({ namespace: 'default', pod: 'crashed', uid });
  await make(crashed, ofAnAgent);
  for (const number of [1, 999]) await make(join(crashed, frozenFolderName(number)), ofAnAgent);
  for (const name of [capturedPodsFile, deletedRecordingsFile])
    for (const path of [name, `${name}.new`]) await writeFile(join(captures, path), '');
  await purge();
  expect(await readdir(captures)).toEqual([]);
});

test('keeps files that no agent wrote, and the folders that contain them', async () => {
  const mixed = folderName({ namespace: 'default', pod: 'web', uid });
  const others = ['notes.txt', 'captres-web.pcap', 'capture.json', 'web.pcap0'];
  await make(mixed, [...ofAnAgent, ...others]);
  await make(join(mixed, 'frozen-x'), ofAnAgent);
  await make('not-a-capture', ofAnAgent);
  await make('not-a-capture-either', []);
  await writeFile(join(captures, recordName(1)), '');
  await purge();
  expect(await everythingIn(captures)).toEqual(
    [
      ...others.map((name) => `${mixed}/${name}`),
      `${mixed}/frozen-x`,
      ...ofAnAgent.map((name) => `${mixed}/frozen-x/${name}`),
      mixed,
      'not-a-capture',
      ...ofAnAgent.map((name) => `not-a-capture/${name}`),
      'not-a-capture-either',
      recordName(1),
    ].toSorted(),
  );
});

test('does not follow links', async () => {
  await make('elsewhere', ofAnAgent);
  await symlink(join(captures, 'elsewhere'), join(captures, folderName({ namespace: 'a', pod: 'b', uid })));
  await purge();
  expect(await readdir(join(captures, 'elsewhere'))).toHaveLength(ofAnAgent.length);
});

test('can run twice', async () => {
  await make(folderName({ namespace: 'default', pod: 'web', uid }), ofAnAgent);
  await purge();
  await purge();
  expect(await readdir(captures)).toEqual([]);
});

async function purge(): Promise<void> {
  await promisify(execFile)('sh', [script, captures]);
}

async function make(folder: string, files: readonly string[]): Promise<void> {
  await mkdir(join(captures, folder));
  await Promise.all(files.map((name) => writeFile(join(captures, folder, name), 'packets')));
}

async function everythingIn(folder: string): Promise<string[]> {
  return (await readdir(folder, { recursive: true })).toSorted();
}
