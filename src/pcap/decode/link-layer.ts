import { macText } from './address-text.ts';
import { readEtherType } from './ether-type.ts';
import { decimal, field, type HeaderField, headerFields, hexadecimal } from './fields.ts';
import { readIpv4 } from './ipv4.ts';
import { readIpv6 } from './ipv6.ts';
import { u8, u16, u32 } from './network-bytes.ts';
import { readCut, readOther, type Walk } from './walk.ts';

/** Reads a packet from its start. The link types are those of tcpdump.org/linktypes.html. */
export function readPacket(walk: Walk, linkType: number): void {
  switch (linkType) {
    case 0:
    case 108:
      return readNull(walk);
    case 1:
      return readEthernet(walk);
    // 12 and 14 are DLT_RAW of libpcap, which some programs write as it is.
    case 12:
    case 14:
    case 101:
      return readRawIp(walk);
    case 113:
      return readCooked(walk, cookedV1);
    case 228:
      return readIpv4(walk, walk.start);
    case 229:
      return readIpv6(walk, walk.start);
    case 276:
      return readCooked(walk, cookedV2);
    default:
      return readOther(walk, walk.start, `link type ${linkType}`);
  }
}

/** IEEE 802.3, section 3.1.1: offsets. */
const ethernet = { destination: 0, source: 6, type: 12, bytes: 14 } as const;

const ethernetHeader: readonly HeaderField[] = [
  ['Destination', ethernet.destination, 6, macText],
  ['Source', ethernet.source, 6, macText],
  ['Type', ethernet.type, 2, hexadecimal],
];

function readEthernet(walk: Walk): void {
  const { start: at } = walk;
  walk.protocols.push('ethernet');
  const next = at + ethernet.bytes;
  walk.layers?.push(
    field(walk, { name: 'Ethernet', from: at, to: next }, headerFields(walk, at, ethernetHeader)),
  );
  if (next > walk.end) return readCut(walk, at, 'Ethernet');
  readEtherType(walk, next, u16(walk.bytes, at + ethernet.type));
  // The addresses of IP, if there is IP, are more interesting.
  walk.source ??= macText(walk.bytes, at + ethernet.source);
  walk.destination ??= macText(walk.bytes, at + ethernet.destination);
}

type CookedHeader = {
  readonly name: string;
  readonly bytes: number;
  /** Offsets. */
  readonly protocol: number;
  readonly hardware: number;
  readonly addressLength: number;
  readonly address: number;
  readonly fields: readonly HeaderField[];
};

/** LINKTYPE_LINUX_SLL. */
const cookedV1: CookedHeader = {
  name: 'Linux cooked capture v1',
  bytes: 16,
  protocol: 14,
  hardware: 2,
  addressLength: 5,
  address: 6,
  fields: [
    ['Packet type', 0, 2, (bytes, at) => packetTypes[u16(bytes, at)] ?? decimal(bytes, at, 2)],
    ['ARPHRD type', 2, 2, decimal],
    ['Address length', 4, 2, decimal],
    ['Address', 6, 8, macText],
    ['Protocol', 14, 2, hexadecimal],
  ],
};

/** LINKTYPE_LINUX_SLL2. */
const cookedV2: CookedHeader = {
  name: 'Linux cooked capture v2',
  bytes: 20,
  protocol: 0,
  hardware: 8,
  addressLength: 11,
  address: 12,
  fields: [
    ['Protocol', 0, 2, hexadecimal],
    ['Interface index', 4, 4, decimal],
    ['ARPHRD type', 8, 2, decimal],
    ['Packet type', 10, 1, (bytes, at) => packetTypes[u8(bytes, at)] ?? decimal(bytes, at, 1)],
    ['Address length', 11, 1, decimal],
    ['Address', 12, 8, macText],
  ],
};

const packetTypes = ['to us', 'broadcast', 'multicast', 'to another host', 'from us'];

/** ARPHRD_ values whose protocol field is no EtherType: IEEE 802.11 in three forms, netlink. */
const notEtherTypes: ReadonlySet<number> = new Set([801, 802, 803, 824]);

function readCooked(walk: Walk, header: CookedHeader): void {
  const { start: at } = walk;
  walk.protocols.push('linux-cooked');
  const next = at + header.bytes;
  walk.layers?.push(
    field(walk, { name: header.name, from: at, to: next }, headerFields(walk, at, header.fields)),
  );
  if (next > walk.end) return readCut(walk, at, 'Linux cooked');
  const protocol = u16(walk.bytes, at + header.protocol);
  const hardware = u16(walk.bytes, at + header.hardware);
  if (notEtherTypes.has(hardware)) readOther(walk, next, `ARPHRD ${hardware} protocol ${protocol}`);
  else readEtherType(walk, next, protocol);
  // The length of v1 has two bytes, but no address has more than 8.
  const length = u8(walk.bytes, at + header.addressLength);
  if (length === 6) walk.source ??= macText(walk.bytes, at + header.address);
}

function readNull(walk: Walk): void {
  const { start: at } = walk;
  walk.protocols.push('null');
  const next = at + 4;
  if (next > walk.end) return readCut(walk, at, 'loopback');
  const big = u32(walk.bytes, at);
  // In the byte order of the machine that captured: a small number in one of the two.
  const family = big <= 0xffff ? big : u8(walk.bytes, at) | (u8(walk.bytes, at + 1) << 8);
  walk.layers?.push(field(walk, { name: 'Loopback', value: `address family ${family}`, from: at, to: next }));
  if (family === 2) readIpv4(walk, next);
  else if (inet6Families.has(family)) readIpv6(walk, next);
  else readOther(walk, next, `address family ${family}`);
}

/** AF_INET6 of Linux, Windows, NetBSD and OpenBSD, FreeBSD, macOS. */
const inet6Families: ReadonlySet<number> = new Set([10, 23, 24, 28, 30]);

function readRawIp(walk: Walk): void {
  const { start: at } = walk;
  if (at >= walk.end) return readCut(walk, at, 'IP');
  const version = u8(walk.bytes, at) >> 4;
  if (version === 4) readIpv4(walk, at);
  else if (version === 6) readIpv6(walk, at);
  else readOther(walk, at, `IP version ${version}`);
}
