import { macText } from './address-text.ts';
import { decimal, field, type HeaderField, headerFields, hexadecimal, rawBytes } from './fields.ts';
import { u8, u16 } from './network-bytes.ts';
import { readCut, type Walk } from './walk.ts';

/** RFC 826: the fixed fields; the addresses follow, and their lengths are in them. */
const header: readonly HeaderField[] = [
  ['Hardware type', 0, 2, decimal],
  ['Protocol type', 2, 2, hexadecimal],
  ['Hardware address length', 4, 1, decimal],
  ['Protocol address length', 5, 1, decimal],
  ['Operation', 6, 2, (bytes, at) => operations[u16(bytes, at)] ?? decimal(bytes, at, 2)],
];

const operations = ['0', 'request', 'reply', 'RARP request', 'RARP reply'];

export function readArp(walk: Walk, at: number): void {
  walk.protocols.push('arp');
  const addressesAt = at + 8;
  walk.layers?.push(field(walk, { name: 'ARP', from: at, to: addressesAt }, headerFields(walk, at, header)));
  if (addressesAt > walk.end) return readCut(walk, at, 'ARP');
  const hardwareBytes = u8(walk.bytes, at + 4);
  const protocolBytes = u8(walk.bytes, at + 5);
  const senderIp = addressesAt + hardwareBytes;
  const targetHardware = senderIp + protocolBytes;
  const targetIp = targetHardware + hardwareBytes;
  const end = targetIp + protocolBytes;
  walk.payloadFrom = end;
  if (end > walk.end) return readCut(walk, at, 'ARP');
  const hardware = (from: number) => macText(walk.bytes, from, hardwareBytes);
  const address = (from: number) =>
    protocolBytes === 4 ? walk.addresses.ipv4(walk.bytes, from) : rawBytes(walk.bytes, from, protocolBytes);
  walk.layers?.push(
    field(walk, { name: 'ARP addresses', from: addressesAt, to: end }, [
      field(walk, {
        name: 'Sender hardware address',
        value: hardware(addressesAt),
        from: addressesAt,
        to: senderIp,
      }),
      field(walk, {
        name: 'Sender protocol address',
        value: address(senderIp),
        from: senderIp,
        to: targetHardware,
      }),
      field(walk, {
        name: 'Target hardware address',
        value: hardware(targetHardware),
        from: targetHardware,
        to: targetIp,
      }),
      field(walk, { name: 'Target protocol address', value: address(targetIp), from: targetIp, to: end }),
    ]),
  );
  const [sender, target] = [address(senderIp), address(targetIp)];
  const operation = u16(walk.bytes, at + 6);
  if (operation === 1)
    walk.info = sender === target ? `announcement of ${sender}` : `who has ${target}? tell ${sender}`;
  else if (operation === 2) walk.info = `${sender} is at ${hardware(addressesAt)}`;
  else walk.info = operations[operation] ?? `operation ${operation}`;
}
