import { macText } from './address-text.ts';
import type { Field } from './decoded-packet.ts';
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
  const addresses = addressesAfter(walk, at);
  walk.payloadFrom = addresses.to;
  if (addresses.to > walk.end) return readCut(walk, at, 'ARP');
  walk.layers?.push(addressLayer(walk, addresses));
  walk.info = infoOf(walk, addresses, u16(walk.bytes, at + 6));
}

/** Where the addresses start, and their lengths. */
type Addresses = {
  readonly senderHardware: number;
  readonly sender: number;
  readonly targetHardware: number;
  readonly target: number;
  /** The end of the last one. */
  readonly to: number;
};

function addressesAfter({ bytes }: Walk, at: number): Addresses {
  const hardwareBytes = u8(bytes, at + 4);
  const protocolBytes = u8(bytes, at + 5);
  const senderHardware = at + 8;
  const sender = senderHardware + hardwareBytes;
  const targetHardware = sender + protocolBytes;
  const target = targetHardware + hardwareBytes;
  return { senderHardware, sender, targetHardware, target, to: target + protocolBytes };
}

function infoOf(walk: Walk, addresses: Addresses, operation: number): string {
  const { senderHardware, sender, targetHardware, target, to } = addresses;
  const senderText = protocolText(walk, sender, targetHardware);
  const targetText = protocolText(walk, target, to);
  if (operation === 1 && senderText === targetText) return `announcement of ${senderText}`;
  if (operation === 1) return `who has ${targetText}? tell ${senderText}`;
  if (operation === 2) return `${senderText} is at ${hardwareText(walk, senderHardware, sender)}`;
  return operations[operation] ?? `operation ${operation}`;
}

function addressLayer(walk: Walk, { senderHardware, sender, targetHardware, target, to }: Addresses): Field {
  const lines = [
    ['Sender hardware address', hardwareText, senderHardware, sender],
    ['Sender protocol address', protocolText, sender, targetHardware],
    ['Target hardware address', hardwareText, targetHardware, target],
    ['Target protocol address', protocolText, target, to],
  ] as const;
  return field(
    walk,
    { name: 'ARP addresses', from: senderHardware, to },
    lines.map(([name, text, from, end]) =>
      field(walk, { name, value: text(walk, from, end), from, to: end }),
    ),
  );
}

function hardwareText({ bytes }: Walk, from: number, to: number): string {
  return macText(bytes, from, to - from);
}

/** IPv4 addresses; nobody uses ARP for others. */
function protocolText({ addresses, bytes }: Walk, from: number, to: number): string {
  return to - from === 4 ? addresses.ipv4(bytes, from) : rawBytes(bytes, from, to - from);
}
