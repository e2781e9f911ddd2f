import { ipv6Text, macText } from './address-text.ts';
import { field, headerFields } from './fields.ts';
import { echoText, icmpHeader } from './icmp.ts';
import { aboutText } from './icmp-error.ts';
import { u8, u32 } from './network-bytes.ts';
import { readCut, type Walk } from './walk.ts';

/** RFC 4443 and RFC 4861: the messages of neighbour discovery have an address after the first 8 bytes. */
const neighborSolicitation = 135;
const neighborAdvertisement = 136;

export function readIcmpv6(walk: Walk, at: number): void {
  walk.protocols.push('icmpv6');
  const hasTarget = at + 24 <= walk.end && isNeighborMessage(u8(walk.bytes, at));
  walk.layers?.push(
    field(walk, { name: 'ICMPv6', from: at, to: at + (hasTarget ? 24 : 8) }, [
      ...headerFields(walk, at, icmpHeader),
      ...(hasTarget ? headerFields(walk, at, [['Target address', 8, 16, ipv6Text]]) : []),
    ]),
  );
  walk.payloadFrom = at + 8;
  if (at + 4 > walk.end) return readCut(walk, at, 'ICMPv6');
  walk.info = infoOf(walk, at, hasTarget);
}

function isNeighborMessage(type: number): boolean {
  return type === neighborSolicitation || type === neighborAdvertisement;
}

function infoOf(walk: Walk, at: number, hasTarget: boolean): string {
  const type = u8(walk.bytes, at);
  const code = u8(walk.bytes, at + 1);
  const name = types.get(type) ?? `type ${type}`;
  if (hasTarget) return neighborText(walk, at, type);
  if (type === 128 || type === 129) return `${name}${echoText(walk, at)}`;
  // RFC 4443, section 3: the errors.
  const about = type >= 1 && type <= 4 ? aboutText(walk, at + 8) : '';
  if (type === 1) return `${name}: ${unreachable[code] ?? `code ${code}`}${about}`;
  if (type === 2 && at + 8 <= walk.end) return `${name}, MTU ${u32(walk.bytes, at + 4)}${about}`;
  return `${name}${code === 0 ? '' : `, code ${code}`}${about}`;
}

function neighborText(walk: Walk, at: number, type: number): string {
  const target = walk.addresses.ipv6(walk.bytes, at + 8);
  if (type === neighborSolicitation) return `neighbor solicitation, who has ${target}`;
  const address = linkLayerAddress(walk, at + 24);
  return `neighbor advertisement, ${target}${address === undefined ? '' : ` is at ${address}`}`;
}

/** The option target link-layer address (type 2; the length counts units of 8 bytes), if it is the first. */
function linkLayerAddress({ bytes, end }: Walk, at: number): string | undefined {
  const isFirst = at + 8 <= end && u8(bytes, at) === 2 && u8(bytes, at + 1) === 1;
  return isFirst ? macText(bytes, at + 2) : undefined;
}

/** IANA: ICMPv6 type numbers. */
const types: ReadonlyMap<number, string> = new Map([
  [1, 'destination unreachable'],
  [2, 'packet too big'],
  [3, 'time exceeded'],
  [4, 'parameter problem'],
  [128, 'echo request'],
  [129, 'echo reply'],
  [130, 'multicast listener query'],
  [131, 'multicast listener report'],
  [132, 'multicast listener done'],
  [133, 'router solicitation'],
  [134, 'router advertisement'],
  [neighborSolicitation, 'neighbor solicitation'],
  [neighborAdvertisement, 'neighbor advertisement'],
  [137, 'redirect'],
  [143, 'multicast listener report v2'],
]);

const unreachable = [
  'no route',
  'administratively prohibited',
  'beyond scope of source address',
  'address unreachable',
  'port unreachable',
  'source address failed policy',
  'route rejected',
];
