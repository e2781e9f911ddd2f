import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { run } from '../../testbed/run-program.ts';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { concat, ethernet } from '../testing/build-packets.ts';
import { captureFile, microseconds } from '../testing/capture-files.ts';
import { packetOf } from '../testing/decode-packets.ts';
import { sampleFrames } from '../testing/sample-frames.ts';
import type { DecodedPacket } from './decoded-packet.ts';
import { createDecoder } from './decoder.ts';

/** What both tshark and the decoder say about a packet, as text. */
type Row = readonly string[];

/** The first value of a field is that of the outer header. */
const fields = [
  'frame.protocols',
  'ip.src',
  'ipv6.src',
  'ip.dst',
  'ipv6.dst',
  'eth.src',
  'eth.dst',
  'sll.src.eth',
  'tcp.srcport',
  'udp.srcport',
  'tcp.dstport',
  'udp.dstport',
  'tcp.flags',
  'tcp.seq',
  'tcp.ack',
  'tcp.len',
  'tcp.analysis.retransmission',
  'tcp.analysis.out_of_order',
] as const;

/** Packets are decoded one by one, and none is put together from others. */
const preferences = ['tcp.desegment_tcp_streams:FALSE', 'ip.defragment:FALSE', 'ipv6.defragment:FALSE'];

const known: ReadonlySet<string> = new Set(['arp', 'icmp', 'icmpv6', 'tcp', 'udp', 'dns', 'http', 'tls']);

test.each([
  ['Ethernet', 1, (frame: Uint8Array) => frame],
  [
    'Linux cooked v1',
    113,
    (frame: Uint8Array) => concat([0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0], frame.subarray(12)),
  ],
  [
    'Linux cooked v2',
    276,
    (frame: Uint8Array) =>
      concat(
        frame.subarray(12, 14),
        [0, 0, 0, 0, 0, 3, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0],
        frame.subarray(14),
      ),
  ],
  [
    'Ethernet with a VLAN tag',
    1,
    (frame: Uint8Array) => ethernet(0x8100, concat([0, 5], frame.subarray(12))),
  ],
])('tshark says the same of each sample: %s', async (_name, linkType, wrap) => {
  const capture = { packets: sampleFrames.map(wrap), linkType, snaplen: 262_144 };
  expect(decode(capture)).toEqual(await dissect(capture));
});

test.each([
  ['raw IP', 101, []],
  ['loopback', 0, [2, 0, 0, 0]],
  ['loopback of OpenBSD', 108, [0, 0, 0, 2]],
])('tshark says the same of each IPv4 sample: %s', async (_name, linkType, header) => {
  const packets = sampleFrames
    .filter((frame) => frame[12] === 8 && frame[13] === 0)
    .map((frame) => concat(header, frame.subarray(14)));
  const capture = { packets, linkType, snaplen: 262_144 };
  expect(decode(capture)).toEqual(await dissect(capture));
});

test.each([96, 120])('tshark says the same of the samples cut at %i bytes', async (snaplen) => {
  const capture = { packets: sampleFrames, linkType: 1, snaplen };
  expect(decode(capture)).toEqual(await dissect(capture));
});

/** The packets of one capture, and how they were captured. */
type Capture = {
  readonly packets: readonly Uint8Array[];
  readonly linkType: number;
  readonly snaplen: number;
};

function decode({ packets, linkType, snaplen }: Capture): readonly Row[] {
  const decoder = createDecoder();
  return packets.map((data) => {
    const packet = packetOf(data.subarray(0, snaplen), { originalBytes: data.length });
    return rowOf(decoder.decode(packet, linkType));
  });
}

async function dissect({ packets, linkType, snaplen }: Capture): Promise<readonly Row[]> {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'samples.pcap');
  // A second apart: within 3 ms, tshark calls a retransmission "out of order".
  const timed = packets.map((data, i) => ({ timeUs: i * 1_000_000, data }));
  await writeFile(path, captureFile(timed, { ...microseconds, linkType, snaplen }));
  const options = preferences.flatMap((preference) => ['-o', preference]);
  const columns = fields.flatMap((field) => ['-e', field]);
  const output = await run([
    'tshark',
    '-n',
    '-r',
    path,
    '-T',
    'fields',
    '-E',
    'occurrence=f',
    ...options,
    ...columns,
  ]);
  return output
    .trimEnd()
    .split('\n')
    .map((line) => rowOfTshark(line.split('\t')));
}

/** Protocols, addresses, ports, and what TCP says. */
function rowOf({ protocols, tcp, ...packet }: DecodedPacket): Row {
  const numbers = tcp && [tcp.flags, tcp.sequence, tcp.acknowledgment, tcp.payloadBytes];
  return [
    protocols.filter((protocol) => known.has(protocol)).join(),
    packet.source ?? '',
    packet.destination ?? '',
    `${packet.sourcePort ?? ''}`,
    `${packet.destinationPort ?? ''}`,
    numbers?.join() ?? '',
    tcp?.isRetransmission ? 'retransmission' : '',
  ];
}

function rowOfTshark(values: readonly string[]): Row {
  const value = (name: (typeof fields)[number]) => values[fields.indexOf(name)] ?? '';
  const protocols = value('frame.protocols')
    .split(':')
    .map((name) => (name === 'mdns' ? 'dns' : name));
  const hasHeader = value('tcp.len') !== '';
  const flags = Number(value('tcp.flags')) & 0xff;
  return [
    protocols.filter((protocol) => known.has(protocol)).join(),
    value('ip.src') || value('ipv6.src') || value('eth.src') || value('sll.src.eth'),
    value('ip.dst') || value('ipv6.dst') || value('eth.dst'),
    value('tcp.srcport') || value('udp.srcport'),
    value('tcp.dstport') || value('udp.dstport'),
    hasHeader ? [flags, value('tcp.seq'), value('tcp.ack'), value('tcp.len')].join() : '',
    value('tcp.analysis.retransmission') || value('tcp.analysis.out_of_order') ? 'retransmission' : '',
  ];
}
