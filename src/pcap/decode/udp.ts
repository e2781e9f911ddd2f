import { readDns } from './dns.ts';
import { decimal, field, type HeaderField, headerFields, hexadecimal } from './fields.ts';
import { u16 } from './network-bytes.ts';
import { limit, readCut, type Walk } from './walk.ts';

/** RFC 768: offsets. */
const offset = { source: 0, destination: 2, length: 4, bytes: 8 } as const;

const header: readonly HeaderField[] = [
  ['Source port', offset.source, 2, decimal],
  ['Destination port', offset.destination, 2, decimal],
  ['Length', offset.length, 2, decimal],
  ['Checksum', 6, 2, hexadecimal],
];

export function readUdp(walk: Walk, at: number): void {
  const { bytes } = walk;
  walk.protocols.push('udp');
  const next = at + offset.bytes;
  walk.layers?.push(field(walk, { name: 'UDP', from: at, to: next }, headerFields(walk, at, header)));
  if (at + 4 > walk.end) return readCut(walk, at, 'UDP');
  const sourcePort = u16(bytes, at + offset.source);
  const destinationPort = u16(bytes, at + offset.destination);
  walk.sourcePort = sourcePort;
  walk.destinationPort = destinationPort;
  if (next > walk.end) return readCut(walk, at, 'UDP');
  const length = u16(bytes, at + offset.length);
  // Below 8 it means nothing; 0 is a jumbogram (RFC 2675) or a packet that the network card was to split.
  if (length >= offset.bytes) limit(walk, at + length);
  walk.payloadFrom = next;
  walk.info = `len=${walk.wireEnd - next}`;
  if ((isDnsPort(sourcePort) || isDnsPort(destinationPort)) && walk.wireEnd > next) readDns(walk, next);
}

/** DNS, and multicast DNS. */
function isDnsPort(port: number): boolean {
  return port === 53 || port === 5353;
}
