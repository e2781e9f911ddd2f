import { run } from '../../testbed/run-program.ts';
import type { DecodedPacket } from '../decode/decoded-packet.ts';
import { createDecoder } from '../decode/decoder.ts';
import { openCaptureFiles } from '../read/capture-reader.ts';

/** What both tshark and the decoder say about a packet, as text. */
export type Row = readonly string[];

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

/** What tshark says about each packet of a capture file. It shows custom blocks as packets, which they are not. */
export async function tsharkRows(path: string): Promise<readonly Row[]> {
  const options = preferences.flatMap((preference) => ['-o', preference]);
  const columns = fields.flatMap((field) => ['-e', field]);
  const output = await run([
    'tshark',
    '-n',
    '-r',
    path,
    '-Y',
    'frame.encap_type',
    '-T',
    'fields',
    '-E',
    'occurrence=f',
    ...options,
    ...columns,
  ]);
  return output
    .split('\n')
    .slice(0, -1)
    .map((line) => rowOfTshark(line.split('\t')));
}

/** What the decoder says about each packet of a capture file. */
export async function decodedRows(path: string): Promise<readonly Row[]> {
  const opened = await openCaptureFiles([path]);
  if (opened.kind !== 'capture') throw new Error(opened.message);
  await using reader = opened.reader;
  const decoder = createDecoder();
  const rows: Row[] = [];
  while (await reader.next()) {
    const { packet, interfaces } = reader;
    rows.push(rowOf(decoder.decode(packet, interfaces[packet.interfaceIndex]?.linkType ?? -1)));
  }
  return rows;
}

/** Protocols, addresses, ports, and what TCP says: as the decoder says it. */
export function rowOf({ protocols, tcp, ...packet }: DecodedPacket): Row {
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
    .map((name) => (name === 'mdns' ? 'dns' : name))
    .filter((protocol) => known.has(protocol));
  // What follows ICMP is of the packet that an error is about.
  const icmp = protocols.findIndex((protocol) => protocol.startsWith('icmp'));
  const outer = icmp < 0 ? protocols : protocols.slice(0, icmp + 1);
  const ofOuter = (text: string) => (icmp < 0 ? text : '');
  const flags = Number(value('tcp.flags')) & 0xff;
  const hasHeader = value('tcp.len') !== '';
  const isRepeated = value('tcp.analysis.retransmission') || value('tcp.analysis.out_of_order');
  return [
    outer.join(),
    value('ip.src') || value('ipv6.src') || value('eth.src') || value('sll.src.eth'),
    value('ip.dst') || value('ipv6.dst') || value('eth.dst'),
    ofOuter(value('tcp.srcport') || value('udp.srcport')),
    ofOuter(value('tcp.dstport') || value('udp.dstport')),
    ofOuter(hasHeader ? [flags, value('tcp.seq'), value('tcp.ack'), value('tcp.len')].join() : ''),
    ofOuter(isRepeated ? 'retransmission' : ''),
  ];
}
