import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { compilePreload } from '../../testbed/compile.ts';
import { run } from '../../testbed/run-program.ts';

// The head comment of preload.c has a table of the functions that the library interposes.

type InterposedFunction = { readonly name: string; readonly file: string };

let headComment: string;
let table: readonly InterposedFunction[];

beforeAll(async () => {
  const source = await readFile(join(import.meta.dirname, 'preload.c'), 'utf8');
  headComment = source.slice(0, source.indexOf('*/'));
  table = [...headComment.matchAll(/^ \* {3}(\w+) +([\w-]+\.c) +\S/gm)].map(([, name = '', file = '']) => ({
    name,
    file,
  }));
});

test('the table has each function that the library exports, and no other', async () => {
  const symbols = await run(['nm', '--dynamic', '--defined-only', '--format=posix', await compilePreload()]);
  const exported = [...symbols.matchAll(/^\S+/gm)].map(([name]) => name);
  expect(table.map(({ name }) => name).toSorted()).toEqual(exported.toSorted());
});

test('the table names the file in which each function is', async () => {
  for (const { name, file } of table) {
    const source = await readFile(join(import.meta.dirname, file), 'utf8');
    expect(source).toMatch(new RegExp(`^[a-z]\\w+ (\\w+ )*\\*?${name}\\(`, 'm'));
  }
});

test('the comment counts them: of libc, and of libpcap', () => {
  const ofLibpcap = table.filter(({ name }) => name.startsWith('pcap_')).length;
  expect(headComment).toContain(
    `interposes ${table.length - ofLibpcap} functions of libc and ${ofLibpcap} of libpcap`,
  );
});
