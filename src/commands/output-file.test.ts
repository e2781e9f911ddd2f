import { chmod, chown, readdir, readFile, readlink, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../testbed/temporary-folder.ts';
import { createOutputFile, type OutputFile, type OutputFileOptions } from './output-file.ts';

test('a file has its name only when it is complete', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'web.pcapng');
  {
    await using file = await create(path);
    await file.write(Buffer.from('one '));
    expect(await readdir(folder.path)).toEqual(['web.pcapng.part']);
    await file.write(Buffer.from('two'));
    await file.complete();
  }
  expect(await readdir(folder.path)).toEqual(['web.pcapng']);
  expect(await readFile(path, 'utf8')).toBe('one two');
});

test('a file that is given up leaves nothing, and what had its name stays', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'web.pcapng');
  await writeFile(path, 'older');
  {
    await using file = await create(path);
    await file.write(Buffer.from('newer'));
  }
  expect(await readdir(folder.path)).toEqual(['web.pcapng']);
  expect(await readFile(path, 'utf8')).toBe('older');
});

test('of two that write the same file, the second is refused', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'web.pcapng');
  await using first = await create(path);
  expect(await createOutputFile(path)).toEqual({ kind: 'exists', partPath: `${path}.part` });
  await first.complete();
  expect(await readdir(folder.path)).toEqual(['web.pcapng']);
});

test('a file that must stay is not replaced, also if it appears while another one is written', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'web.pcapng');
  const kept = { existing: 'kept', signals: 'callers' } as const;
  {
    await using file = await create(path, kept);
    await file.write(Buffer.from('mine'));
    await writeFile(path, 'of somebody else');
    await expect(file.complete()).rejects.toMatchObject({ code: 'EEXIST' });
  }
  expect(await readFile(path, 'utf8')).toBe('of somebody else');
  expect(await readFile(`${path}.part`, 'utf8')).toBe('mine');
  expect(await createOutputFile(path, kept)).toEqual({ kind: 'taken' });
});

test('a new file that replaces none gets its name', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'web.pcapng');
  await using file = await create(path, { existing: 'kept' });
  await file.write(Buffer.from('mine'));
  await file.complete();
  expect(await readdir(folder.path)).toEqual(['web.pcapng']);
});

test('the signals of a caller stay as they are', async () => {
  await using folder = await temporaryFolder();
  const before = process.listenerCount('SIGINT');
  await using _ = await create(join(folder.path, 'web.pcapng'), { signals: 'callers' });
  expect(process.listenerCount('SIGINT')).toBe(before);
});

test('a link stays, and the file that it leads to is replaced', async () => {
  await using folder = await temporaryFolder();
  const target = join(folder.path, 'target');
  const link = join(folder.path, 'link');
  await writeFile(target, 'older');
  await symlink(target, link);
  await using file = await create(link);
  await file.write(Buffer.from('newer'));
  await file.complete();
  expect([await readlink(link), await readFile(target, 'utf8')]).toEqual([target, 'newer']);
});

test('a link that leads to nothing stays, and what it leads to is made', async () => {
  await using folder = await temporaryFolder();
  const [first, second] = [join(folder.path, 'first'), join(folder.path, 'second')];
  await symlink('second', first);
  await symlink('target', second);
  await using file = await create(first);
  await file.write(Buffer.from('new'));
  await file.complete();
  expect([await readlink(first), await readlink(second)]).toEqual(['second', 'target']);
  expect(await readFile(join(folder.path, 'target'), 'utf8')).toBe('new');
});

test('a link that leads to itself is an error', async () => {
  await using folder = await temporaryFolder();
  const link = join(folder.path, 'link');
  await symlink('link', link);
  await expect(createOutputFile(link)).rejects.toThrow('ELOOP');
});

test.each([0o600, 0o640, 0o666])('a file of mode %o keeps its mode when it is replaced', async (mode) => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'web.pcapng');
  await writeFile(path, 'older');
  await chmod(path, mode);
  await using file = await create(path);
  expect((await stat(`${path}.part`)).mode & 0o777).toBe(mode);
  await file.complete();
  expect((await stat(path)).mode & 0o777).toBe(mode);
});

test.runIf(process.geteuid?.() === 0)('a file that root replaces keeps its owner', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'web.pcapng');
  await writeFile(path, 'older');
  await chown(path, 12_345, 54_321);
  await using file = await create(path);
  await file.complete();
  expect(await stat(path)).toMatchObject({ uid: 12_345, gid: 54_321 });
});

test('a device is written, and not replaced', async () => {
  await using file = await create('/dev/null');
  await file.write(Buffer.from('nothing'));
  await file.complete();
  await expect(readdir('/dev')).resolves.not.toContain('null.part');
});

test('an error names the file', async () => {
  await expect(createOutputFile('/nowhere/web.pcapng')).rejects.toThrow('/nowhere/web.pcapng.part');
});

async function create(path: string, options: OutputFileOptions = {}): Promise<OutputFile> {
  const file = await createOutputFile(path, options);
  if (file.kind !== 'open') throw new Error(`${path} cannot be written: ${file.kind}`);
  return file;
}
