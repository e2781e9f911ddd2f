import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { run } from '../../testbed/run-program.ts';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { microseconds, nanoseconds, type TimeResolution } from '../capture-interface.ts';
import { openCaptureFiles } from '../read/capture-reader.ts';
import { captureBytes, endOfOptions, plainInterface } from '../testing/capture-bytes.ts';
import { packetOf } from '../testing/packet-of.ts';
import { packetsOf, readOpened } from '../testing/read-capture.ts';
import { udpFrame } from '../testing/udp-frame.ts';
import type { PacketWriter } from './packet-writer.ts';
import { pcapWriter } from './pcap-writer.ts';
import { pcapngWriter } from './pcapng-writer.ts';

const names = ['shop/web-0/eth0', 'shop/web-1/eth0', 'shop/db-0/net1'];
const packetCount = 300;
const second = 1_700_000_000;

/** Three interfaces, whose packets alternate; the third is described only before its first packet. */
function writePackets(writer: PacketWriter, resolution: TimeResolution): void {
  const describe = (name: string) =>
    writer.addInterface({
      ...plainInterface,
      resolution,
      name,
      snaplen: 96,
      description: 'node a, UID 1',
      filter: 'udp port 53',
      comment: 'a Pod',
    });
  const units = 10 ** resolution.exponent;
  for (let number = 0; number < packetCount; number += 1) {
    if (number < names.length) describe(names[number] ?? '');
    const fraction = number * 1001;
    const data = udpFrame(number % 60).toString('latin1');
    const packet = packetOf({
      time: BigInt(second) * BigInt(units) + BigInt(fraction),
      seconds: second,
      nanoseconds: (fraction * 1_000_000_000) / units,
      original: 1000 + number,
      data,
    });
    writer.writePacket(packet, number % names.length, number === 42 ? 17 : 0);
  }
  writer.end(
    names.map((_, interfaceNumber) => ({
      interfaceNumber,
      start: BigInt(second) * BigInt(units),
      end: BigInt(second + 9) * BigInt(units),
      received: 120n,
      dropped: 20n,
      delivered: 100n,
      comment: 'pruned 3, unseen 4',
    })),
  );
}

/** A line for each packet, as tshark shows it. */
function expectedLines(digits: number, withNames: boolean): readonly string[] {
  return Array.from({ length: packetCount }, (_, number) => {
    const fraction = `${number * 1001}`.padStart(digits, '0').padEnd(9, '0');
    const name = withNames ? `\t${names[number % names.length]}` : '';
    return `${second}.${fraction}\t${1000 + number}\t${42 + (number % 60)}${name}`;
  });
}

const resolutions = [
  [6, microseconds],
  [9, nanoseconds],
] as const;

test.each(resolutions)(
  'tshark, tcpdump, capinfos, editcap and mergecap read pcapng with 10^-%i s',
  async (digits, resolution) => {
    await using folder = await temporaryFolder();
    const path = (name: string) => join(folder.path, name);
    const writer = pcapngWriter('podcap 0.1.0');
    writePackets(writer, resolution);
    await writeFile(path('all.pcapng'), writer.take());
    await run(['editcap', path('all.pcapng'), path('edited.pcapng')]);
    await run(['mergecap', '-a', '-w', path('merged.pcapng'), path('all.pcapng')]);

    const lines = expectedLines(digits, true);
    for (const name of ['all.pcapng', 'edited.pcapng', 'merged.pcapng'])
      expect(await tshark(path(name))).toEqual(lines);
    expect(await readByTcpdump(path('all.pcapng'), digits)).toEqual(
      lines.map((line) => line.split('\t')[0]?.slice(0, 11 + digits)),
    );
    const info = await run(['capinfos', '-M', path('all.pcapng')]);
    expect(info).toMatch(/Number of packets: +300\n/);
    expect(info).toMatch(/Capture application: +podcap 0\.1\.0\n/);
    expect(info.match(/Number of stat entries = 1/g)).toHaveLength(3);
    expect(info.match(/Name = shop/g)).toHaveLength(3);
    expect(info.match(/Capture length = 262144/g)).toHaveLength(3);
    expect(info.match(/Filter string = udp port 53/g)).toHaveLength(3);
    expect(info.match(/Description = node a, UID 1/g)).toHaveLength(3);
    expect(info.match(/Comment = a Pod/g)).toHaveLength(3);
    const dropped = await run([
      'tshark',
      '-r',
      path('all.pcapng'),
      '-Y',
      'frame.drop_count == 17',
      '-T',
      'fields',
      '-e',
      'frame.number',
    ]);
    expect(dropped).toBe('43\n');
  },
);

test.each(resolutions)('tshark, tcpdump and editcap read pcap with 10^-%i s', async (digits, resolution) => {
  await using folder = await temporaryFolder();
  const path = (name: string) => join(folder.path, name);
  const writer = pcapWriter();
  writePackets(writer, resolution);
  await writeFile(path('all.pcap'), writer.take());
  await run(['editcap', '-F', 'pcap', path('all.pcap'), path('edited.pcap')]);
  const lines = expectedLines(digits, false);
  expect(await tshark(path('all.pcap'), [])).toEqual(lines);
  expect(await readByTcpdump(path('all.pcap'), digits)).toHaveLength(packetCount);
  expect((await readOpened(await openCaptureFiles([path('edited.pcap')]))).packets).toHaveLength(packetCount);
});

test('tshark shows the comments and flags of packets that were copied from a big-endian file', async () => {
  const { section, interfaceBlock, packet, option, u32 } = captureBytes('big');
  const options = Buffer.concat([option(1, 'seen twice'), option(2, u32(2)), endOfOptions]);
  await using folder = await temporaryFolder();
  const path = (name: string) => join(folder.path, name);
  const data = udpFrame(1);
  await writeFile(
    path('big'),
    Buffer.concat([section(), interfaceBlock(), packet({ data, options }), packet({ data })]),
  );
  const opened = await openCaptureFiles([path('big')]);
  if (opened.kind !== 'capture') throw new Error(opened.message);
  await using reader = opened.reader;
  const writer = pcapngWriter('podcap 0');
  writer.addInterface(plainInterface);
  for await (const one of packetsOf(reader)) writer.writePacket(one, 0, 0);
  await writeFile(path('copy'), writer.take());
  const fields = ['-e', 'frame.comment', '-e', 'frame.packet_flags'];
  const shown = ['-T', 'fields', '-Y', 'frame', ...fields];
  const copy = await run(['tshark', '-r', path('copy'), ...shown]);
  expect(copy).toBe(await run(['tshark', '-r', path('big'), ...shown]));
  expect(copy).toBe('seen twice\t0x00000002\n\t\n');
});

test('tshark resolves addresses by the names that were written', async () => {
  await using folder = await temporaryFolder();
  const file = join(folder.path, 'named.pcapng');
  const writer = pcapngWriter('podcap 0');
  writer.addInterface(plainInterface);
  writer.writeNames([
    { address: Uint8Array.of(10, 0, 0, 1), name: 'web-0.shop' },
    { address: new Uint8Array(16).fill(1), name: 'six' },
    { address: Uint8Array.of(10, 0, 0, 2), name: 'db-0.shop' },
  ]);
  writer.writePacket(packetOf({ time: 1n, original: 42, data: udpFrame(0).toString('latin1') }), 0, 0);
  await writeFile(file, writer.take());
  const shown = await run([
    'tshark',
    '-N',
    'n',
    '-r',
    file,
    '-T',
    'fields',
    '-e',
    'ip.src_host',
    '-e',
    'ip.dst_host',
  ]);
  expect(shown).toBe('web-0.shop\tdb-0.shop\n');
});

async function tshark(
  file: string,
  more: readonly string[] = ['-e', 'frame.interface_name'],
): Promise<readonly string[]> {
  const fields = ['frame.time_epoch', 'frame.len', 'frame.cap_len'].flatMap((field) => ['-e', field]);
  return (await run(['tshark', '-n', '-r', file, '-T', 'fields', ...fields, ...more])).trimEnd().split('\n');
}

async function readByTcpdump(file: string, digits: number): Promise<readonly (string | undefined)[]> {
  const precision = digits === 9 ? 'nano' : 'micro';
  const lines = await run(['tcpdump', '-n', '-tt', `--time-stamp-precision=${precision}`, '-r', file]);
  return lines
    .trimEnd()
    .split('\n')
    .map((line) => line.split(' ')[0]);
}
