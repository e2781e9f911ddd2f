import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { capturedNumbers } from '../../pcap/testing/captured-numbers.ts';
import { compilePreload } from '../../testbed/compile.ts';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { type VethTestbed, vethTestbed } from '../../testbed/veth-testbed.ts';
import { startTcpdump } from '../capture/tcpdump.ts';
import type { FilesStarted } from '../capture/tcpdump-output.ts';
import type { Program } from '../spawner/spawner.ts';
import { plainCapture, testSpawner } from '../testing/tcpdump-fixtures.ts';

// How a tcpdump that captures nothing takes the agent's messages: poll.c, files-to-keep.c.

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
    await sleepingPid(capture.testbed);
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
    const pid = await sleepingPid(capture.testbed);
    capture.tcpdump.keep(3);
    await until(() => capture.tcpdump.keeping() === 3, { what: 'an acknowledgement' });
    expect(await sleepingPid(capture.testbed)).toBe(pid);
  });
});

test('a tcpdump whose standard input has ended sleeps without a timeout', async () => {
  await using testbed = await vethTestbed();
  await using folder = await temporaryFolder();
  const options = ['-n', '-p', '-i', testbed.podInterface, '-Z', 'root', '-w', join(folder.path, 'web.pcap')];
  const tcpdump = ['env', `LD_PRELOAD=${await compilePreload()}`, 'tcpdump', ...options];
  const running = testbed.exec('pod', ['sh', '-c', 'exec "$@" </dev/null', 'sh', ...tcpdump]);
  process.kill(await sleepingPid(testbed), 'SIGTERM');
  await expect(running).resolves.toBe('');
});

/**
 * Returns its PID when tcpdump sleeps in ppoll(2) until something happens: in libpcap's two descriptors or the
 * input.
 */
async function sleepingPid(testbed: VethTestbed): Promise<number> {
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
