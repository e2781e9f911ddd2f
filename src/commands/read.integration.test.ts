import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { constants, mkdir, open, readdir, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { startTcpdump, type Tcpdump } from '../agent/capture/tcpdump.ts';
import { folderName, ringFileBase } from '../agent/storage/file-names.ts';
import { startLeftoverPruning } from '../agent/storage/prune-leftovers.ts';
import { plainCapture, testSpawner } from '../agent/testing/tcpdump-fixtures.ts';
import { every } from '../base/timers.ts';
import { until } from '../base/until.ts';
import { capturedNumbers } from '../pcap/testing/captured-numbers.ts';
import { run } from '../testbed/run-program.ts';
import { temporaryFolder } from '../testbed/temporary-folder.ts';
import { type VethTestbed, vethTestbed } from '../testbed/veth-testbed.ts';

const web = { namespace: 'default', pod: 'web', uid: '0d4f5a5e-4a4c-4d57-9c4c-1d8b6f0f8f10' };
const ringFiles = 4;

test('while files rotate, the output is a capture file without gaps that other programs can read too', async () => {
  await using testbed = await vethTestbed();
  await using capture = await startCapture(testbed);
  await using sending = await testbed.startDatagrams({ rate: 5_000, bytes: 1_000 });
  await capture.hasRotated(ringFiles + 1);
  for (let times = 0; times < 5; times += 1) {
    const file = await capture.read();
    const numbers = await capturedNumbers(file);
    expect(numbers.length).toBeGreaterThan(2 * 900);
    expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, i) => (numbers[0] ?? 0) + i));
    expect(await packetCounts(file)).toEqual([numbers.length, numbers.length, numbers.length]);
  }
  await sending.stop();
});

test('a reader that pauses misses nothing, though all files that it reads are deleted meanwhile', async () => {
  await using testbed = await vethTestbed();
  await using capture = await startCapture(testbed);
  await using sending = await testbed.startDatagrams({ rate: 5_000, bytes: 1_000 });
  await capture.hasRotated(ringFiles + 1);
  const file = await capture.read({ beforeReading: () => capture.hasRotated(ringFiles + 2) });
  await sending.stop();
  const numbers = await capturedNumbers(file);
  expect(numbers.length).toBeGreaterThan(2 * 900);
  expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, i) => (numbers[0] ?? 0) + i));
});

test('two running captures are read as one', async () => {
  await using testbed = await vethTestbed();
  await using capture = await startCapture(testbed);
  await using sending = await testbed.startDatagrams({ rate: 5_000, bytes: 200 });
  await capture.startSecond();
  await capture.hasWritten();
  await until(async () => (await capturedNumbers(await capture.read())).length > 5_000, {
    what: '5,000 datagrams',
  });
  const numbers = await capturedNumbers(await capture.read());
  expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, i) => (numbers[0] ?? 0) + i));
  await sending.stop();
});

test('ends quietly when its reader closes the pipe', async () => {
  await using testbed = await vethTestbed();
  await using capture = await startCapture(testbed);
  await using sending = await testbed.startDatagrams({ rate: 5_000, bytes: 1_000 });
  await capture.hasRotated(2);
  const child = capture.spawnRead();
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  await once(child.stdout, 'data');
  child.stdout.destroy();
  const [code] = await once(child, 'close');
  expect([code, errors]).toEqual([0, '']);
  await sending.stop();
});

test('ends with a message when nobody reads the pipe any more, and lets go of the files', async () => {
  await using testbed = await vethTestbed();
  await using capture = await startCapture(testbed);
  await using sending = await testbed.startDatagrams({ rate: 5_000, bytes: 1_000 });
  await capture.hasRotated(2);
  await using pipe = await unreadPipe();
  const child = capture.spawnReadTo(pipe.writer.fd, ['--unread-seconds', '1']);
  let errors = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (errors += text));
  const [code, signal] = await once(child, 'close');
  expect([code, signal, errors]).toEqual([1, null, 'podcap: the output has not been read for 1 s\n']);
  await sending.stop();
});

test('ends with a message when its reader takes too little, and lets go of the files', async () => {
  await using testbed = await vethTestbed();
  await using capture = await startCapture(testbed);
  await using sending = await testbed.startDatagrams({ rate: 5_000, bytes: 1_000 });
  await capture.hasRotated(2);
  await using pipe = await unreadPipe();
  const child = capture.spawnReadTo(pipe.writer.fd, ['--unread-seconds', '1']);
  let errors = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (errors += text));
  const closed = once(child, 'close');
  await until(() => holdsDeleted(child.pid), { what: 'a file that is deleted while it is read' });
  // At most 40 KiB/s, and never nothing.
  using _taking = every(100, async () => void (await pipe.reader.read(Buffer.alloc(4_096))));
  expect([...(await closed), errors]).toEqual([1, null, 'podcap: the output has not been read for 1 s\n']);
  await sending.stop();
});

/** A pipe that is open for reading, and that nobody reads: as after a kubectl exec whose kubectl was killed. */
async function unreadPipe() {
  await using opening = new AsyncDisposableStack();
  const folder = opening.use(await temporaryFolder());
  const path = join(folder.path, 'pipe');
  await run(['mkfifo', path]);
  const reader = opening.use(await open(path, constants.O_RDONLY | constants.O_NONBLOCK));
  const writer = opening.use(await open(path, constants.O_WRONLY));
  const opened = opening.move();
  return { reader, writer, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

/** Whether a process has a deleted file open. */
async function holdsDeleted(pid: number | undefined): Promise<boolean> {
  const folder = `/proc/${pid}/fd`;
  const links = (await readdir(folder)).map((fd) => readlink(join(folder, fd)).catch(() => ''));
  return (await Promise.all(links)).some((target) => target.endsWith(' (deleted)'));
}

/** How many packets tcpdump, tshark and capinfos find in the file; they fail if it is not valid. */
async function packetCounts(file: string): Promise<number[]> {
  const lines = [
    await run(['tcpdump', '-n', '-r', file]),
    await run(['tshark', '-n', '-r', file, '-T', 'fields', '-e', 'frame.number']),
  ].map((output) => output.trimEnd().split('\n').length);
  const capinfos = await run(['capinfos', '-r', '-T', '-m', '-c', file]);
  return [...lines, Number(capinfos.trimEnd().split(',').at(-1))];
}

async function startCapture(testbed: VethTestbed) {
  await using starting = new AsyncDisposableStack();
  const captures = starting.use(await temporaryFolder());
  const folder = join(captures.path, folderName(web));
  await mkdir(folder);
  // tcpdump's user writes there.
  await run(['chmod', '0777', captures.path, folder]);
  const ring = starting.use(
    startLeftoverPruning({
      folder: {
        path: folder,
        starts: async () => new Map(),
        countDead: async () => {},
        frozenUpTo: async () => 0,
      },
      rings: { interfaces: ['eth0'], size: { files: ringFiles, fileMegabytes: 1 } },
      maxFiles: ringFiles,
      log: pino({ level: 'silent' }),
    }),
  );
  const spawner = starting.use(await testSpawner());
  const running: Tcpdump[] = [];
  starting.defer(async () => {
    await Promise.all(running.map((tcpdump) => tcpdump.stop('kill')));
  });
  let rotations = 0;
  const start = async (generation: number) => {
    const tcpdump = startTcpdump({
      ...plainCapture,
      spawner,
      netns: testbed.netns,
      file: join(folder, ringFileBase(web.pod, generation)),
      files: ringFiles,
      bufferKib: 8_192,
      onFiles({ started }) {
        rotations = started;
        ring.prune();
      },
    });
    running.push(tcpdump);
    const started = await tcpdump.started;
    if (started.kind === 'ended') throw new Error(started.message);
  };
  await start(1);
  const entry = join(import.meta.dirname, '../main.ts');
  const args = [entry, 'read', 'default/web', '--format', 'pcap', '--captures-folder', captures.path];
  const spawnRead = () => spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let reads = 0;
  const kept = starting.move();

  return {
    spawnRead,
    /** With a file descriptor as its standard output. */
    spawnReadTo: (fd: number, more: readonly string[]) =>
      spawn(process.execPath, [...args, ...more], { stdio: ['ignore', fd, 'pipe'] }),
    startSecond: () => start(2),
    /** Waits for that many more files. */
    async hasRotated(files: number): Promise<void> {
      const from = rotations;
      await until(() => rotations >= from + files, { what: `${files} more files` });
    },
    /** Waits for the first packet in a file. */
    async hasWritten(): Promise<void> {
      const sizes = async () =>
        await Promise.all((await readdir(folder)).map(async (name) => (await stat(join(folder, name))).size));
      await until(async () => (await sizes()).some((size) => size > 24), { what: 'packets in a file' });
    },
    /** Reads to the end, into a file; returns its path. */
    async read({ beforeReading = async () => {} } = {}): Promise<string> {
      const file = join(captures.path, `read${(reads += 1)}.pcap`);
      const child = spawnRead();
      const closed = once(child, 'close');
      // The pipe is full long before the end, so the command waits.
      await once(child.stdout, 'readable');
      await beforeReading();
      await pipeline(child.stdout, createWriteStream(file));
      expect((await closed)[0]).toBe(0);
      expect((await stat(file)).size).toBeGreaterThan(24);
      expect((await readdir(folder)).length).toBeLessThanOrEqual(2 * ringFiles);
      return file;
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}
