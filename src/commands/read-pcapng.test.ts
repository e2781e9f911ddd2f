import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { noTotals } from '../agent/storage/capture-records.ts';
import { ringFileBase, ringFileName } from '../agent/storage/file-names.ts';
import { captureFile, microseconds } from '../pcap/testing/capture-files.ts';
import { type ReadCapture, readBytes } from '../pcap/testing/read-capture.ts';
import { readCommand } from './read.ts';
import { packets, readScene, web } from './testing/read-scene.ts';

test('generations with the same request are one interface, and a changed filter makes a second one', async () => {
  await using scene = await readScene();
  for (const [at, filter] of ['tcp', 'tcp', 'udp', 'tcp'].entries()) {
    await scene.file({ generation: at + 1, index: 0, packets: packets(10 * at, 2) });
    await scene.record({ generation: at + 1, filter, node: 'node-a', addresses: ['10.0.0.1', 'fd00::1'] });
  }
  const { code, stdout, stderr } = await scene.read(['default/web']);
  expect([code, stderr]).toEqual([0, '']);
  const read = await readBytes(stdout);
  const common = {
    linkType: 1,
    name: 'default/web/eth0',
    description: `Node node-a, Pod UID ${web.uid}`,
    addresses: ['10.0.0.1', 'fd00::1'],
  };
  expect(read.interfaces).toMatchObject([
    { ...common, filter: 'tcp' },
    { ...common, filter: 'udp' },
  ]);
  expect(read.packets.map(({ interfaceIndex, data }) => `${interfaceIndex} ${data}`)).toEqual([
    '0 packet 0',
    '0 packet 1',
    '0 packet 10',
    '0 packet 11',
    '1 packet 20',
    '1 packet 21',
    '0 packet 30',
    '0 packet 31',
  ]);
});

test('the first packet after a gap has how many are missing, and no other one', async () => {
  await using scene = await readScene();
  await scene.file({ index: 0, packets: packets(0, 3) });
  await scene.record({ totals: { ...noTotals, missed: 50, lostAtStop: 4 } });
  // A generation without packets, and one that has them in two files.
  await scene.file({ generation: 2, index: 0, packets: [] });
  await scene.record({ generation: 2, totals: { ...noTotals, missed: 10, lostAtStop: 1 } });
  await scene.file({ generation: 3, index: 0, packets: packets(20, 2) });
  await scene.file({ generation: 3, index: 1, packets: packets(22, 2) });
  await scene.record({ generation: 3, totals: { ...noTotals, missed: 100 } });
  await scene.file({ generation: 4, index: 0, packets: packets(30, 2) });
  await scene.record({ generation: 4 });
  const dropped = async (...args: readonly string[]) =>
    droppedIn(await readBytes((await scene.read(['default/web', ...args])).stdout));
  expect(await dropped()).toEqual([['packet 20', 115]]);
  expect(await dropped('--generation', '3')).toEqual([]);
  const second = (number: number) => new Date(1_700_000_000_000 + number).toISOString();
  expect(await dropped('--since', second(2), '--until', second(31))).toEqual([['packet 20', 115]]);
  // Nothing comes before it.
  expect(await dropped('--since', second(20))).toEqual([]);
});

test('the statistics are what its captures counted', async () => {
  await using scene = await readScene();
  await scene.file({ index: 0, packets: packets(0, 3) });
  await scene.record({ totals: { ...noTotals, captured: 30, dropped: 2, lostAtStop: 1, pruned: 27 } });
  const { stdout } = await scene.read(['default/web']);
  const comment = 'pruned 27, lost at stop 1, missed at most 0, unseen 0';
  expect((await readBytes(stdout)).received).toEqual([{ received: 33, dropped: 2, comment }]);
});

test.each(['pcapng', 'pcap'])('--since and --until leave out packets, in %s', async (format) => {
  await using scene = await readScene();
  await scene.file({ index: 0, packets: packets(0, 10) });
  const range = ['--since', '2023-11-14T22:13:20.003Z', '--until', '2023-11-14T22:13:20.005Z'];
  const { code, stdout } = await scene.read(['default/web', '--format', format, ...range]);
  const read = await readBytes(stdout);
  expect([code, read.packets.map(({ data }) => data)]).toEqual([0, ['packet 3', 'packet 4']]);
});

test('two link types are two interfaces', async () => {
  await using scene = await readScene();
  await scene.file({ index: 0, packets: packets(0, 1) });
  await scene.file({
    generation: 2,
    index: 0,
    packets: packets(1, 1),
    header: { ...microseconds, linkType: 113 },
  });
  const { code, stdout } = await scene.read(['default/web']);
  const { interfaces, packets: read } = await readBytes(stdout);
  expect(code).toBe(0);
  expect(read.map(({ interfaceIndex }) => interfaces[interfaceIndex]?.linkType)).toEqual([1, 113]);
});

test('nanoseconds stay nanoseconds next to microseconds', async () => {
  await using scene = await readScene();
  await scene.file({ index: 0, packets: packets(0, 1) });
  await scene.file({
    generation: 2,
    index: 0,
    packets: packets(1, 1),
    header: { ...microseconds, resolution: 'ns' },
  });
  const { interfaces } = await readBytes((await scene.read(['default/web'])).stdout);
  expect(interfaces.map(({ resolution }) => resolution.exponent)).toEqual([6, 9]);
});

test.each(['pcapng', 'pcap'])(
  'a damaged file gives what is whole in it, a message, and exit code 3, in %s',
  async (format) => {
    await using scene = await readScene();
    const bytes = captureFile(packets(0, 4));
    await scene.file({ index: 1, packets: packets(10, 2) });
    // The third record claims to have more than any packet has.
    const third = 24 + 2 * (16 + 8);
    bytes.fill(0xff, third + 8, third + 12);
    const path = join(scene.pathOf(), ringFileName(ringFileBase(web.pod, 1), 0));
    await writeFile(path, bytes);
    const { code, stdout, stderr } = await scene.read(['default/web', '--format', format]);
    const read = await readBytes(stdout);
    expect(read.packets.map(({ data }) => data)).toEqual(['packet 0', 'packet 1', 'packet 10', 'packet 11']);
    expect([code, stderr]).toEqual([3, `podcap: ${path} has no packet record at byte ${third}\n`]);
  },
);

test('without packets, the interface and its statistics are there', async () => {
  await using scene = await readScene();
  await scene.file({ index: 0, packets: [] });
  await scene.record({ totals: { ...noTotals, captured: 5, pruned: 5 } });
  const { code, stdout } = await scene.read(['default/web']);
  expect([code, await readBytes(stdout)]).toMatchObject([
    0,
    { packets: [], interfaces: [{ name: 'default/web/eth0' }], received: [{ received: 5, dropped: 0 }] },
  ]);
});

test('an output that cannot be written is an error with its reason', async () => {
  await using scene = await readScene();
  await scene.file({ index: 0, packets: packets(0, 1) });
  const stdout = new Writable({
    write: (_chunk, _encoding, done) =>
      done(
        Object.assign(new Error('ENOSPC: no space left on device, write'), {
          code: 'ENOSPC',
          syscall: 'write',
        }),
      ),
  });
  const stderr = new PassThrough();
  const env = { PODCAP_CAPTURES_FOLDER: scene.path };
  expect(await readCommand(['default/web'], { env, stdout, stderr })).toBe(1);
  expect(String(stderr.read())).toBe(
    'podcap: standard output cannot be written: ENOSPC: no space left on device, write\n',
  );
});

/** The packets with a drop count. */
function droppedIn({ packets: read }: ReadCapture): readonly [data: string, dropped: number][] {
  return read.flatMap(({ data, options }) =>
    options?.dropped === undefined ? [] : [[data, options.dropped]],
  );
}
