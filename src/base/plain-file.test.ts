import { closeSync, readFileSync } from 'node:fs';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { run } from '../testbed/run-program.ts';
import { temporaryFolder } from '../testbed/temporary-folder.ts';
import { openPlainFile, openPlainFileSync } from './plain-file.ts';

test('a regular file is opened', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'file');
  await writeFile(path, 'text');
  const opened = await openPlainFile(path);
  if (opened.kind !== 'file') throw new Error(opened.why);
  await using handle = opened.handle;
  expect(opened.stats.size).toBe(4);
  expect(await handle.readFile('utf8')).toBe('text');
});

test('a regular file is opened at once', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'file');
  await writeFile(path, 'text');
  const opened = openPlainFileSync(path);
  if (opened.kind !== 'file') throw new Error(opened.why);
  expect(opened.stats.size).toBe(4);
  expect(readFileSync(opened.fd, 'utf8')).toBe('text');
  closeSync(opened.fd);
});

test.each([
  ['a link to a file', 'is a link', linkToFile],
  ['a link that leads to itself', 'is a link', (path: string) => symlink(path, path)],
  ['a link to nothing', 'is a link', (path: string) => symlink(`${path}.other`, path)],
  ['a folder', 'is not a regular file', (path: string) => mkdir(path)],
  ['a named pipe without a writer', 'is not a regular file', (path: string) => run(['mkfifo', path])],
  ['a socket', 'is not a regular file', listen],
  ['a file that may not be read', 'cannot be read: permission denied', unreadable],
])('%s is not opened', async (_what, why, make) => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'file');
  await using made = new AsyncDisposableStack();
  await make(path, made);
  const isRoot = process.geteuid?.() === 0;
  if (isRoot) await run(['chmod', '755', folder.path]);
  if (isRoot) process.seteuid?.(10_002);
  try {
    expect(await openPlainFile(path)).toEqual({ kind: 'unreadable', why });
    expect(openPlainFileSync(path)).toEqual({ kind: 'unreadable', why });
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
});

test('where nothing is, open(2) says so', async () => {
  await expect(openPlainFile('/nowhere/file')).rejects.toThrow('ENOENT');
  expect(() => openPlainFileSync('/nowhere/file')).toThrow('ENOENT');
});

async function linkToFile(path: string): Promise<void> {
  await writeFile(`${path}.other`, '');
  await symlink(`${path}.other`, path);
}

async function unreadable(path: string): Promise<void> {
  await writeFile(path, '', { mode: 0o000 });
}

async function listen(path: string, made: AsyncDisposableStack): Promise<void> {
  const server = made.use(createServer());
  await new Promise<void>((resolve) => {
    server.listen(path, resolve);
  });
}
