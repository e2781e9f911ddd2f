import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { lstat, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { hasCode, ifExists } from '../../base/fs-errors.ts';
import { until } from '../../base/until.ts';
import { countRecords } from '../../pcap/pcap-file.ts';
import { capturedNumbers } from '../../pcap/testing/captured-numbers.ts';
import { compileTestProgram } from '../../testbed/compile.ts';
import { run } from '../../testbed/run-program.ts';
import { memoryDisk } from '../../testbed/test-disk.ts';
import { type VethTestbed, vethTestbed } from '../../testbed/veth-testbed.ts';
import { startTcpdump, type Tcpdump, type TcpdumpOptions } from '../capture/tcpdump.ts';
import type { FilesStarted } from '../capture/tcpdump-output.ts';
import { openWriteBufferSlots } from '../capture/write-buffer-slots.ts';
import type { Spawner } from '../spawner/spawner.ts';
import { plainCapture, testSpawner } from '../testing/tcpdump-fixtures.ts';

// How tcpdump writes its files with the library: dumper.c.

/** The path of a capture's files, without their index. */
const base = 'captres-web.1.pcap';

test('a packet is in the file as soon as there is nothing more to read', async () => {
  await using scene = await writingScene();
  for (const number of [0, 1, 2]) {
    await scene.testbed.sendDatagrams({ count: 1, firstNumber: number });
    await until(async () => (await scene.numbers()).length === number + 1, { what: `datagram ${number}` });
  }
  expect(await scene.numbers()).toEqual([0, 1, 2]);
});

test('on a full disk the file ends with a complete packet, and each packet that is in no file is counted', async () => {
  await using scene = await writingScene();
  // 98 records of 1,058 bytes: the file's last page has space for two and a half more.
  await scene.testbed.sendDatagrams({ count: 98, bytes: 1_000 });
  await until(async () => (await scene.numbers()).length === 98, { what: '98 datagrams' });
  await scene.disk.fill();
  await scene.testbed.sendDatagrams({ count: 5_000, rate: 50_000, bytes: 1_000, firstNumber: 98 });
  const ending = await scene.tcpdump.ended;
  expect(ending).toMatchObject({ cause: 'failed', writeError: 'ENOSPC', statistics: { dropped: 0 } });
  const numbers = await scene.numbers();
  expect(numbers).toEqual(Array.from({ length: 100 }, (_, number) => number));
  const { size } = await stat(scene.file);
  expect(await countRecords(scene.file)).toMatchObject({ records: 100, wholeBytes: size });
  const { captured = 0, received } = ending.statistics ?? {};
  expect(received).toBe(captured);
  expect(numbers.length + ending.unwritten).toBe(captured);
});

test('a write that fails before the Pod falls silent ends tcpdump as well', async () => {
  await using scene = await writingScene();
  await scene.disk.fill();
  await scene.testbed.sendDatagrams({ count: 10, bytes: 1_000 });
  const ending = await scene.tcpdump.ended;
  expect(ending).toMatchObject({
    writeError: 'ENOSPC',
    statistics: { captured: 10, received: 10, dropped: 0 },
  });
  expect((await scene.numbers()).length + ending.unwritten).toBe(10);
});

test('on a disk that is full at the start tcpdump ends, and leaves no empty file', async () => {
  await using testbed = await vethTestbed();
  await using disk = await memoryDisk(1);
  await disk.fill();
  await using spawner = await testSpawner();
  const tcpdump = start(spawner, testbed, join(disk.path, base));
  expect(await tcpdump.started).toMatchObject({ cause: 'failed', writeError: 'ENOSPC' });
  expect(await readdir(disk.path)).toEqual(['filler']);
});

// A ring of three files that is filled many times within a second.
const ringFiles = 3;
const smallRing = { files: ringFiles, diskMegabytes: 8 };
const flood = { rate: 20_000, bytes: 1_000 };

test('after a flood into a small ring the newest files hold an unbroken run up to the last packet', async () => {
  await using scene = await writingScene(smallRing);
  await scene.testbed.sendDatagrams({ ...flood, count: 30_000 });
  // While the ring is written, a file may be deleted before it is read.
  const newest = async () => (await ifExists(scene.numbers()))?.at(-1);
  await until(async () => (await newest()) === 29_999, { what: 'the last datagram' });
  const numbers = await scene.numbers();
  expect(numbers).toEqual(runUpTo(29_999, numbers.length));
  expect(numbers.length).toBeGreaterThan(1_500);
  expect(await scene.names()).toHaveLength(ringFiles);
  expect(await scene.tcpdump.stop('flush')).toMatchObject({ statistics: { captured: 30_000 } });
  expect((scene.files.at(-1)?.pruned ?? Number.NaN) + numbers.length).toBe(30_000);
});

test('when tcpdump is killed in a flood, the files hold an unbroken run, as it reported', async () => {
  await using scene = await writingScene(smallRing);
  await using sending = await scene.testbed.startDatagrams(flood);
  await until(() => (scene.files.at(-1)?.started ?? 0) > 2 * ringFiles, { what: 'the ring written twice' });
  await scene.tcpdump.stop('kill');
  await sending.stop();
  const numbers = await scene.numbers();
  expect(numbers).toEqual(runUpTo(numbers.at(-1) ?? Number.NaN, numbers.length));
  expect(await scene.names()).toHaveLength(ringFiles);
  const { packets, pruned } = scene.files.at(-1) ?? { packets: Number.NaN, pruned: Number.NaN };
  const inNewest = (await capturedNumbers(join(scene.disk.path, (await scene.names()).at(-1) ?? ''))).length;
  expect(pruned + numbers.length).toBe(packets + inNewest);
});

test('when the disk fills in a flood, each packet is in a file, pruned, or counted as in no file', async () => {
  await using scene = await writingScene(smallRing);
  await using sending = await scene.testbed.startDatagrams(flood);
  await until(() => (scene.files.at(-1)?.started ?? 0) > ringFiles, { what: 'the ring written once' });
  await scene.disk.fill();
  const ending = await scene.tcpdump.ended;
  await sending.stop();
  expect(ending).toMatchObject({ writeError: 'ENOSPC' });
  expect(ending.unwritten).toBeGreaterThan(0);
  const { pruned } = scene.files.at(-1) ?? { pruned: Number.NaN };
  expect(pruned + (await scene.numbers()).length + ending.unwritten).toBe(ending.statistics?.captured);
});

test('a deletion of the file that is being written is reported once, with the next packet', async () => {
  await using scene = await writingScene();
  await scene.testbed.sendDatagrams({ count: 1 });
  await until(async () => (await scene.numbers()).length === 1, { what: 'the datagram' });
  await rm(scene.file);
  for (const firstNumber of [1, 2]) await scene.testbed.sendDatagrams({ count: 1, firstNumber });
  await until(() => scene.deletions() > 0, { what: 'the deletion to be reported' });
  expect(await scene.tcpdump.stop('flush')).toMatchObject({ statistics: { captured: 3 } });
  expect(scene.deletions()).toBe(1);
});

test('while nobody reads its reports, tcpdump captures, and it reports the newest file afterwards', async () => {
  await using scene = await writingScene({ files: 100, diskMegabytes: 20 });
  const pid = scene.tcpdump.pid() ?? 0;
  const spawner = Number(/^PPid:\s*(\d+)$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]);
  process.kill(spawner, 'SIGSTOP');
  try {
    fillPipe(`/proc/${pid}/fd/2`);
    // 930 fill a file.
    await scene.testbed.sendDatagrams({ count: 5_000, rate: 5_000, bytes: 1_000 });
    await until(async () => (await scene.numbers()).length === 5_000, { what: 'the last datagram' });
  } finally {
    process.kill(spawner, 'SIGCONT');
  }
  await until(() => scene.files.at(-1)?.started === 6, { what: 'the report' });
  expect(await scene.tcpdump.stop('flush')).toMatchObject({ statistics: { captured: 5_000, dropped: 0 } });
});

test.each([
  { name: 'a named pipe', make: async (path: string) => void (await run(['mkfifo', path])) },
  { name: 'a link', make: (path: string, target: string) => symlink(target, path) },
])('replaces $name that has the path of its next file', async ({ make }) => {
  await using scene = await writingScene({ files: 100, diskMegabytes: 20 });
  const target = join(scene.disk.path, 'target');
  await writeFile(target, 'untouched');
  const next = join(scene.disk.path, `${base}000000001`);
  await make(next, target);
  await scene.testbed.sendDatagrams({ count: 1_500, rate: 5_000, bytes: 1_000 });
  const isReplaced = async () => (await lstat(next)).isFile() && (await scene.numbers()).length === 1_500;
  await until(isReplaced, { what: 'the last datagram' });
  expect(await readFile(target, 'utf8')).toBe('untouched');
});

test('ends, and says why, when its next file has the path of a folder', async () => {
  await using scene = await writingScene({ files: 100, diskMegabytes: 20 });
  await mkdir(join(scene.disk.path, `${base}000000001`));
  await scene.testbed.sendDatagrams({ count: 1_500, rate: 5_000, bytes: 1_000 });
  expect(await scene.tcpdump.ended).toMatchObject({ cause: 'failed', writeError: expect.any(String) });
});

const ringMegabytes = 10;

test('captures a flood while another process holds all slots, of which there are more than a loop can try', async () => {
  await using testbed = await vethTestbed();
  await using disk = await memoryDisk(2 * ringMegabytes);
  await using slots = await openWriteBufferSlots(disk.path, 1);
  await using spawner = await testSpawner(slots.fd);
  const locked = Promise.withResolvers<void>();
  const argv = [await compileTestProgram('hold-slots')] as const;
  const other = spawner.start({ netns: testbed.netns, argv, onLine: () => locked.resolve() });
  await locked.promise;
  const file = join(disk.path, base);
  const tcpdump = start(spawner, testbed, file, { files: ringFiles });
  await tcpdump.started;
  await testbed.sendDatagrams({ ...flood, count: 10_000 });
  expect(await tcpdump.stop('flush')).toMatchObject({ statistics: { captured: 10_000 } });
  other.kill('SIGKILL');
  await other.ended;
});

test('with two floods and one slot, one ring is buffered, and the other once the first tcpdump is killed', async () => {
  await using testbed = await vethTestbed();
  await using disk = await memoryDisk(4 * ringMegabytes);
  await using slots = await openWriteBufferSlots(disk.path, 1);
  await using spawner = await testSpawner(slots.fd);
  await using sending = await testbed.startDatagrams({ ...flood, rate: 2 * flood.rate });
  await using first = await flooded('first');
  await until(async () => (await first.bufferedMegabytes()) > 6, { what: 'the first ring to be buffered' });
  await using second = await flooded('second');
  await until(() => second.started() > ringMegabytes, { what: 'the second ring to be filled' });
  expect(await second.bufferedMegabytes()).toBeLessThan(4);
  await first.tcpdump.stop('kill');
  await until(async () => (await second.bufferedMegabytes()) > 6, { what: 'the second ring to be buffered' });
  await sending.stop();
  await until(async () => (await second.bufferedMegabytes()) < 4, { what: 'the memory to be released' });

  async function flooded(name: string) {
    const reports: FilesStarted[] = [];
    const file = join(disk.path, `${name}.pcap`);
    const onFiles = (files: FilesStarted) => reports.push(files);
    const tcpdump = start(spawner, testbed, file, { files: ringMegabytes, onFiles });
    await tcpdump.started;
    return {
      tcpdump,
      started: () => reports.at(-1)?.started ?? 0,
      bufferedMegabytes: () => anonymousMegabytes(tcpdump.pid()),
      [Symbol.asyncDispose]: async () => void (await tcpdump.stop('kill')),
    };
  }
});

/** Writes empty lines into the pipe until it has no space left. */
function fillPipe(path: string): void {
  const descriptor = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  try {
    for (let bytes = 4_096; bytes >= 1; ) {
      try {
        writeSync(descriptor, '\n'.repeat(bytes));
      } catch (error) {
        if (!hasCode(error, 'EAGAIN')) throw error;
        bytes = Math.floor(bytes / 2);
      }
    }
  } finally {
    closeSync(descriptor);
  }
}

async function anonymousMegabytes(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^RssAnon:\s*(\d+) kB$/m.exec(status)?.[1]) / 1_000;
}

function runUpTo(last: number, length: number): number[] {
  return Array.from({ length }, (_, i) => last - length + 1 + i);
}

async function writingScene({ files: keep, diskMegabytes } = { files: 100, diskMegabytes: 2 }) {
  await using made = new AsyncDisposableStack();
  const testbed = made.use(await vethTestbed());
  const disk = made.use(await memoryDisk(diskMegabytes));
  const spawner = made.use(await testSpawner());
  const files: FilesStarted[] = [];
  let deletions = 0;
  const tcpdump = start(spawner, testbed, join(disk.path, base), {
    files: keep,
    onFiles: (report) => files.push(report),
    onFileDeleted: () => (deletions += 1),
  });
  made.defer(async () => {
    await tcpdump.stop('kill');
  });
  await tcpdump.started;
  const names = async () =>
    (await readdir(disk.path)).filter((name) => name.startsWith('captres-')).toSorted();
  const resources = made.move();
  return {
    testbed,
    disk,
    tcpdump,
    files,
    names,
    file: join(disk.path, `${base}000000000`),
    deletions: () => deletions,
    async numbers() {
      const all = await Promise.all((await names()).map((name) => capturedNumbers(join(disk.path, name))));
      return all.flat();
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

type FileOptions = Pick<TcpdumpOptions, 'files' | 'onFiles' | 'onFileDeleted'>;

function start(
  spawner: Spawner,
  { netns }: VethTestbed,
  file: string,
  options: Partial<FileOptions> = {},
): Tcpdump {
  return startTcpdump({ ...plainCapture, ...options, spawner, netns, file });
}
