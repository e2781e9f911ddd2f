import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { array, assert, asyncProperty, constantFrom, nat, string } from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { capturedNumbers } from '../../pcap/testing/captured-numbers.ts';
import { compileFilesToKeepReader, compilePreload } from '../../testbed/compile.ts';
import { run } from '../../testbed/run-program.ts';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { type VethTestbed, vethTestbed } from '../../testbed/veth-testbed.ts';
import { startTcpdump } from '../capture/tcpdump.ts';
import type { FilesStarted } from '../capture/tcpdump-output.ts';
import type { Program } from '../spawner/spawner.ts';
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

describe('a tcpdump on an interface where nothing happens', () => {
  test('deletes surplus files at once, acknowledges the number, and reports what it deleted', async () => {
    await using capture = await silentCapture({ files: 12, filled: 6 });
    const { tcpdump } = capture;
    expect(tcpdump.keeping()).toBe(12);
    tcpdump.keep(2);
    await until(() => tcpdump.keeping() === 2, { what: 'an acknowledgement' });
    const names = (await readdir(capture.folder)).toSorted();
    expect(names).toEqual(['web.pcap000000004', 'web.pcap000000005']);
    const numbers = await Promise.all(names.map((name) => capturedNumbers(join(capture.folder, name))));
    const pruned = capture.reports.at(-1)?.pruned ?? Number.NaN;
    expect(numbers.flat()).toEqual(Array.from({ length: sentFor(6) - pruned }, (_, i) => pruned + i));
    expect((await tcpdump.stop('flush')).statistics).toMatchObject({ captured: sentFor(6), dropped: 0 });
    expect(capture.reports.at(-1)?.pruned).toBe(pruned);
  });

  test('has the last number, however often it changes', async () => {
    await using capture = await silentCapture({ files: 1, filled: 0 });
    // Four bytes each: 300 of them cross the end of a buffer of any power of two up to a kilobyte.
    const numbers = Array.from({ length: 300 }, (_, i) => 700 + i);
    for (const files of numbers) capture.tcpdump.keep(files);
    await until(() => capture.tcpdump.keeping() === 999, { what: 'the last number' });
    // Never a part of a number, and none is taken back.
    expect(capture.kept).toEqual(capture.kept.toSorted((a, b) => a - b));
    expect([1, ...numbers]).toEqual(expect.arrayContaining(capture.kept));
  });

  test('takes whole lines and nothing else', async () => {
    await using capture = await silentCapture({ files: 5, filled: 0 });
    for (const piece of [
      'six\n',
      '\n',
      '6 files\n',
      '-6\n',
      '1'.repeat(3_000),
      '2'.repeat(3_000),
      '\n6x\n',
      '1',
    ])
      capture.program.write(piece);
    await isAsleep(capture.testbed);
    capture.program.write('2\n3');
    await until(() => capture.tcpdump.keeping() === 12, { what: 'a number in two pieces' });
    expect(capture.kept).toEqual([5, 12]);
  });

  test('keeps every file after a 0, and the newest ones after the next number', async () => {
    await using capture = await silentCapture({ files: 2, filled: 0 });
    const { tcpdump } = capture;
    tcpdump.keep(0);
    await until(() => tcpdump.keeping() === 0, { what: 'an acknowledgement' });
    await capture.fill(6);
    expect(await readdir(capture.folder)).toHaveLength(6);
    tcpdump.keep(3);
    await until(() => tcpdump.keeping() === 3, { what: 'an acknowledgement' });
    expect((await readdir(capture.folder)).toSorted().at(0)).toBe('web.pcap000000003');
  });

  test('sleeps without a timeout between two messages', async () => {
    await using capture = await silentCapture({ files: 2, filled: 0 });
    await isAsleep(capture.testbed);
    capture.tcpdump.keep(3);
    await until(() => capture.tcpdump.keeping() === 3, { what: 'an acknowledgement' });
    await isAsleep(capture.testbed);
  });
});

test('a tcpdump whose standard input has ended sleeps without a timeout', async () => {
  await using testbed = await vethTestbed();
  await using folder = await temporaryFolder();
  const options = ['-n', '-p', '-i', testbed.podInterface, '-Z', 'root', '-w', join(folder.path, 'web.pcap')];
  const tcpdump = ['env', `LD_PRELOAD=${await compilePreload()}`, 'tcpdump', ...options];
  const running = testbed.exec('pod', ['sh', '-c', 'exec "$@" </dev/null', 'sh', ...tcpdump]);
  const pid = await isAsleep(testbed);
  process.kill(pid, 'SIGTERM');
  await running;
});

/**
 * Resolves with its PID when tcpdump sleeps in ppoll(2) until something happens: in libpcap's two descriptors or the
 * input.
 */
async function isAsleep(testbed: VethTestbed): Promise<number> {
  return await until(
    async () => {
      const [pid] = await testbed.processes();
      // proc_pid_syscall(5): the number of the call and its arguments, or "running".
      const call = await readFile(`/proc/${pid}/syscall`, 'utf8').catch(() => '');
      const [, , descriptors, timeout] = call.split(' ');
      return descriptors === '0x3' && timeout === '0x0' ? pid : undefined;
    },
    { what: 'tcpdump to sleep' },
  );
}

const perFile = 930;
/** 1,000-byte datagrams: about 930 fill a file, so this many files are started for them. */
const sentFor = (files: number) => Math.round((files - 0.5) * perFile);

/** A tcpdump that has started that many files and then receives nothing more. */
async function silentCapture({ files, filled }: { readonly files: number; readonly filled: number }) {
  await using opening = new AsyncDisposableStack();
  const testbed = opening.use(await vethTestbed());
  const folder = opening.use(await temporaryFolder());
  const spawner = opening.use(await testSpawner());
  const reports: FilesStarted[] = [];
  const kept: number[] = [];
  const programs: Program[] = [];
  const tcpdump = startTcpdump({
    ...plainCapture,
    spawner: {
      ...spawner,
      start(command) {
        const program = spawner.start(command);
        programs.push(program);
        return program;
      },
    },
    netns: testbed.netns,
    file: join(folder.path, 'web.pcap'),
    files,
    onFiles: (each) => reports.push(each),
    onKeeps: (each) => kept.push(each),
  });
  await tcpdump.started;
  async function fill(count: number): Promise<void> {
    // Slower than a file a second: each is written (preload/dumper.c).
    await testbed.sendDatagrams({ count: sentFor(count), rate: 5_000, bytes: 1_000 });
    const isCaptured = async () => (await tcpdump.count())?.captured === sentFor(count);
    await until(isCaptured, { what: 'all datagrams' });
  }
  if (filled > 0) await fill(filled);
  const [program] = programs;
  if (!program) throw new Error('no tcpdump was started');
  const opened = opening.move();
  return {
    testbed,
    folder: folder.path,
    tcpdump,
    program,
    reports,
    kept,
    fill,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

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
