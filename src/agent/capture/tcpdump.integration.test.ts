import { readdir, readFile } from 'node:fs/promises';
import { release } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { countRecords, openPcap } from '../../pcap/pcap-file.ts';
import { capturedNumbers } from '../../pcap/testing/captured-numbers.ts';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { vethTestbed } from '../../testbed/veth-testbed.ts';
import type { Spawner } from '../spawner/spawner.ts';
import { plainCapture, testSpawner } from '../testing/tcpdump-fixtures.ts';
import { type EndingCause, startTcpdump, type TcpdumpOptions } from './tcpdump.ts';
import type { FilesStarted } from './tcpdump-output.ts';
import { openWriteBufferSlots } from './write-buffer-slots.ts';

let spawner: Spawner;

beforeAll(async () => {
  spawner = await testSpawner();
});

afterAll(() => spawner[Symbol.asyncDispose]());

test('reports when it listens, each file that it starts, and what it captured', async () => {
  await using testbed = await vethTestbed();
  await using folder = await temporaryFolder();
  const { options, files } = optionsFor(testbed.netns, folder.path);
  const tcpdump = startTcpdump(options);
  expect(await tcpdump.started).toEqual({ kind: 'listening' });
  expect(tcpdump.hasEnded()).toBe(false);
  // 1,000-byte datagrams: about 930 fill a file.
  await testbed.sendDatagrams({ count: 2_000, rate: 10_000, bytes: 1_000 });
  const ending = await tcpdump.stop('flush');
  expect(ending).toMatchObject({
    kind: 'ended',
    cause: 'stopped',
    statistics: { captured: 2_000, received: 2_000, dropped: 0 },
  });
  expect(tcpdump.hasEnded()).toBe(true);
  const sizes = await Promise.all(
    (await readdir(folder.path))
      .toSorted()
      .map(async (name) => (await capturedNumbers(join(folder.path, name))).length),
  );
  const [first = 0, second = 0] = sizes;
  expect(files).toEqual([
    { started: 1, packets: 0, pruned: 0 },
    { started: 2, packets: first, pruned: 0 },
    { started: 3, packets: first + second, pruned: 0 },
  ]);
  expect(sizes).toHaveLength(3);
});

// Before Linux 6.12 there is nothing to set.
test.skipIf(release().localeCompare('6.12', undefined, { numeric: true }) < 0)(
  'has a time slice of ten milliseconds once it captures, and the priority of any other process',
  async () => {
    await using testbed = await vethTestbed();
    await using folder = await temporaryFolder();
    const tcpdump = startTcpdump(optionsFor(testbed.netns, folder.path).options);
    await tcpdump.started;
    const schedule = await readFile(`/proc/${tcpdump.pid()}/sched`, 'utf8');
    await tcpdump.stop('kill');
    expect(schedule).toMatch(/^se\.slice +: +10000000$/m);
    expect(schedule).toMatch(/^policy +: +0$/m);
    // Nice 0.
    expect(schedule).toMatch(/^prio +: +120$/m);
  },
);

test('keeps the requested number of its newest files, and counts what was in the others', async () => {
  // Two files last for more than a second: each is written (preload/dumper.c).
  const rate = 1_500;
  await using testbed = await vethTestbed();
  await using folder = await temporaryFolder();
  const { options, files } = optionsFor(testbed.netns, folder.path);
  const tcpdump = startTcpdump({ ...options, files: 2 });
  await tcpdump.started;
  await testbed.sendDatagrams({ count: 5_000, rate, bytes: 1_000 });
  const sixth = await until(() => files.find((each) => each.started === 6), { what: 'the sixth file' });
  expect(await readdir(folder.path)).toHaveLength(2);
  tcpdump.keep(4);
  await testbed.sendDatagrams({ count: 5_000, rate, bytes: 1_000, firstNumber: 5_000 });
  await tcpdump.stop('flush');
  const names = (await readdir(folder.path)).toSorted();
  const numbers = await Promise.all(names.map((name) => capturedNumbers(join(folder.path, name))));
  expect(names).toEqual([7, 8, 9, 10].map((index) => `captres-web.1.pcap${String(index).padStart(9, '0')}`));
  const pruned = files.at(-1)?.pruned ?? Number.NaN;
  expect(pruned).toBeGreaterThan(sixth.pruned);
  expect(numbers.flat()).toEqual(Array.from({ length: 10_000 - pruned }, (_, i) => pruned + i));
});

test('what its ring would delete within a second is not written, and counts as pruned', async () => {
  await using testbed = await vethTestbed();
  await using folder = await temporaryFolder();
  await using slots = await openWriteBufferSlots(folder.path, 1);
  const { options, files } = optionsFor(testbed.netns, folder.path);
  await using withSlots = await testSpawner(slots.fd);
  const tcpdump = startTcpdump({ ...options, spawner: withSlots, files: 2 });
  await tcpdump.started;
  await testbed.sendDatagrams({ count: 200_000, rate: 0, bytes: 1_400 });
  const { statistics } = await tcpdump.stop('flush');
  const last = files.at(-1);
  const captured = statistics?.captured ?? Number.NaN;
  expect(last?.started).toBeLessThan((captured * 1_400) / 1e6 / 4);
  const names = await readdir(folder.path);
  const counts = await Promise.all(names.map((name) => countRecords(join(folder.path, name))));
  const inFiles = counts.reduce((sum, counted) => sum + ('records' in counted ? counted.records : 0), 0);
  expect(names).toHaveLength(2);
  expect((last?.pruned ?? Number.NaN) + inFiles).toBe(captured);
});

test('reports its statistics while it runs, whenever it is asked', async () => {
  await using testbed = await vethTestbed();
  await using folder = await temporaryFolder();
  const tcpdump = startTcpdump(optionsFor(testbed.netns, folder.path).options);
  await tcpdump.started;
  expect(await tcpdump.count()).toEqual({ captured: 0, received: 0, dropped: 0 });
  await testbed.sendDatagrams({ count: 50 });
  const all = () => tcpdump.count().then((counts) => counts?.captured === 50 && counts);
  expect(await until(all, { what: '50 packets' })).toEqual({ captured: 50, received: 50, dropped: 0 });
  await tcpdump.stop('flush');
  expect(await tcpdump.count()).toBeUndefined();
});

test('a filter and a snaplen take effect', async () => {
  await using testbed = await vethTestbed();
  await using folder = await temporaryFolder();
  const { options } = optionsFor(testbed.netns, folder.path);
  const tcpdump = startTcpdump({ ...options, filter: 'udp dst port 7', snaplen: 64 });
  await tcpdump.started;
  await testbed.sendDatagrams({ count: 20, port: 9 });
  await testbed.sendDatagrams({ count: 10, port: 7, bytes: 500 });
  expect(await tcpdump.stop('flush')).toMatchObject({ statistics: { captured: 10, received: 10 } });
  const opened = await openPcap(join(folder.path, 'captres-web.1.pcap000000000'));
  if (opened.kind !== 'pcap') throw new Error(opened.kind);
  await using file = opened;
  const lengths = await Array.fromAsync(file.records(), ({ data }) => data.length);
  expect(lengths).toEqual(Array.from({ length: 10 }, () => 64));
});

test('killing does not wait and does not count', async () => {
  await using testbed = await vethTestbed();
  await using folder = await temporaryFolder();
  const tcpdump = startTcpdump(optionsFor(testbed.netns, folder.path).options);
  await tcpdump.started;
  expect(await tcpdump.stop('kill')).toMatchObject({ cause: 'stopped', statistics: undefined });
});

test('when its interface is deleted, it ends with that cause and its statistics', async () => {
  await using testbed = await vethTestbed();
  await using folder = await temporaryFolder();
  const tcpdump = startTcpdump(optionsFor(testbed.netns, folder.path).options);
  await tcpdump.started;
  await testbed.sendDatagrams({ count: 10 });
  await testbed.deleteInterface();
  expect(await tcpdump.ended).toMatchObject({ cause: 'interfaceGone', statistics: { captured: 10 } });
});

test.each<[string, Partial<TcpdumpOptions>, EndingCause, RegExp]>([
  ['an interface that does not exist', { interface: 'net7' }, 'noSuchDevice', /net7.*No such device/],
  ['a missing network namespace', { netns: '/run/netns/cni-none' }, 'failed', /cni-none.*No such file/],
  ['a folder that it may not write to', { file: '/root/captres-web.1.pcap' }, 'failed', /Permission denied/],
])('%s: it ends with a message that names the cause', async (_what, wrong, cause, message) => {
  await using testbed = await vethTestbed();
  await using folder = await temporaryFolder();
  const tcpdump = startTcpdump({ ...optionsFor(testbed.netns, folder.path).options, ...wrong });
  const ending = await tcpdump.started;
  expect(ending).toMatchObject({ kind: 'ended', cause, message: expect.stringMatching(message) });
  expect(await tcpdump.stop('flush')).toEqual(ending);
});

test('ends with the process that started it, and writes what it has captured', async () => {
  await using testbed = await vethTestbed();
  await using folder = await temporaryFolder();
  const { options } = optionsFor(testbed.netns, folder.path);
  const { onFiles: _onFiles, spawner: _spawner, ...plain } = options;
  const program = `
    import { startTcpdump } from ${JSON.stringify(join(import.meta.dirname, 'tcpdump.ts'))};
    import { testSpawner } from ${JSON.stringify(join(import.meta.dirname, '../testing/tcpdump-fixtures.ts'))};
    const spawner = await testSpawner();
    const tcpdump = startTcpdump({ ...${JSON.stringify(plain)}, spawner, onFiles() {} });
    await tcpdump.started;
    process.kill(process.pid, 'SIGKILL');
  `;
  const died = testbed.exec('node', [process.execPath, '--input-type=module', '-e', program]);
  await expect(died).rejects.toThrow('SIGKILL');
  await until(async () => (await testbed.processes()).length === 0, { what: 'tcpdump to end' });
});

function optionsFor(netns: string, folder: string) {
  const files: FilesStarted[] = [];
  const options: TcpdumpOptions = {
    ...plainCapture,
    spawner,
    netns,
    file: join(folder, 'captres-web.1.pcap'),
    onFiles: (each) => files.push(each),
  };
  return { options, files };
}
