import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { array, assert, asyncProperty, constantFrom, nat, string } from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { compileFilesToKeepReader } from '../../testbed/compile.ts';
import { run } from '../../testbed/run-program.ts';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { vethTestbed } from '../../testbed/veth-testbed.ts';
import { startTcpdump } from '../capture/tcpdump.ts';
import { plainCapture, testSpawner } from '../testing/tcpdump-fixtures.ts';

/** What is kept before the first message; files-to-keep-reader.c. */
const before = 1_000_000;
let reader: string;
beforeAll(async () => {
  reader = await compileFilesToKeepReader();
});

test.each<[string, readonly string[], readonly number[]]>([
  ['a number', ['5\n'], [5]],
  ['the last of several', ['5\n6\n7\n'], [7]],
  ['a number in two pieces', ['1', '2\n'], [before, 12]],
  ['a number and its newline', ['12', '\n'], [before, 12]],
  ['a number after an incomplete one', ['5\n1', '2\n'], [5, 12]],
  ['as many files as there are', ['0\n'], [0]],
  ['nothing', ['5\n', ''], [5, 5]],
  ['an empty line', ['5\n', '\n'], [5, 5]],
  ['many empty lines', ['5\n\n\n\n'], [5]],
  ['a word', ['5\n', 'six\n'], [5, 5]],
  ['a number and something else', ['5\n', '6 files\n'], [5, 5]],
  ['something else and a number', ['5\n', ' 6\n'], [5, 5]],
  ['a negative number', ['5\n', '-6\n'], [5, 5]],
  ['a carriage return', ['5\n', '6\r\n'], [5, 5]],
  ['a malformed line in two pieces', ['5\n', 'x', '6\n'], [5, 5, 5]],
  ['a number after a malformed line', ['x\n6\n'], [6]],
  ['a malformed line after a number', ['6\nx\n'], [6]],
  ['the largest number', ['999999999\n'], [999_999_999]],
  ['a number that is too long', ['5\n', '1000000000\n'], [5, 5]],
  ['a line that is far too long', ['5\n', '1'.repeat(60_000), '\n', '6\n'], [5, 5, 5, 6]],
])('%s', async (_what, pieces, expected) => {
  expect(await read(pieces)).toEqual(expected);
});

test('the last complete number counts, wherever its messages are cut', async () => {
  const line = constantFrom('', 'x', '6 files', '0', '7', '12', '100', '999999999', '1000000000');
  await assert(
    asyncProperty(
      array(line, { maxLength: 12 }),
      string({ maxLength: 3 }),
      array(nat(80)),
      async (lines, rest, cuts) => {
        const ends = rest.replaceAll(/[^0-9]/g, '');
        const text = `${lines.map((each) => `${each}\n`).join('')}${ends}`;
        const at = [0, ...cuts.filter((cut) => cut < text.length).toSorted((a, b) => a - b), text.length];
        const pieces = at.slice(1).map((end, index) => text.slice(at[index], end));
        const last = lines.findLast((each) => /^[0-9]{1,9}$/.test(each));
        expect((await read(pieces)).at(-1)).toBe(last === undefined ? before : Number(last));
      },
    ),
    { numRuns: 200 },
  );
});

describe('a tcpdump that is given a number of files to keep', () => {
  let afterOneNumber: number;
  let afterManyNumbers: number;

  beforeAll(async () => {
    afterOneNumber = await filesKept([12]);
    // 127 numbers of two bytes, and two bytes of the last one: 256.
    afterManyNumbers = await filesKept([...Array.from({ length: 127 }, (_, i) => (i % 2 === 0 ? 6 : 5)), 12]);
  });

  test('keeps that many', () => {
    expect(afterOneNumber).toBe(12);
  });

  test('keeps the last number of files, however many numbers it was given while no file was full', () => {
    expect(afterManyNumbers).toBe(12);
  });
});

/** What is kept after each piece. */
async function read(pieces: readonly string[]): Promise<number[]> {
  return (await run([reader, ...pieces])).trim().split('\n').map(Number);
}

/** How many of about sixteen files remain if tcpdump was given these numbers before it started the third one. */
async function filesKept(numbers: readonly number[]): Promise<number> {
  await using testbed = await vethTestbed();
  await using folder = await temporaryFolder();
  await using spawner = await testSpawner();
  let started = 0;
  const file = join(folder.path, 'web.pcap');
  const tcpdump = startTcpdump({
    ...plainCapture,
    spawner,
    netns: testbed.netns,
    file,
    files: 5,
    onFiles: (files) => (started = files.started),
  });
  await tcpdump.started;
  // It has read the number of the start by the time it starts the second file.
  await tcpdump.count();
  // 1,000-byte datagrams: about 930 fill a file.
  await testbed.sendDatagrams({ count: 1_000, rate: 8_000, bytes: 1_000 });
  await until(() => started === 2, { what: 'the second file' });
  for (const files of numbers) tcpdump.keep(files);
  // It answers after it has handled everything before.
  await tcpdump.count();
  await testbed.sendDatagrams({ count: 14_000, rate: 10_000, bytes: 1_000 });
  await tcpdump.stop('flush');
  if (started < 14) throw new Error(`${started} files`);
  return (await readdir(folder.path)).length;
}
