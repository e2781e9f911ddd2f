import { endpointText } from './address-text.ts';
import { u8, u16 } from './network-bytes.ts';
import type { Walk } from './walk.ts';

/** What the IP header of the packet says. */
type Embedded = {
  readonly destination: string;
  readonly protocol: number;
  /** Where in the buffer that starts what the IP header carries; undefined in a fragment that is not the first. */
  readonly payloadAt: number | undefined;
};

/**
 * What a message of ICMP or ICMPv6 is about, from the start of the packet that it carries at `at`: where that one was to
 * go, as `: 10.0.0.2:53 UDP`. Empty if too little of it was captured, or it is no IP packet.
 */
export function aboutText(walk: Walk, at: number): string {
  const embedded = embeddedIn(walk, at);
  if (!embedded) return '';
  const { destination, protocol, payloadAt } = embedded;
  const hasPorts = protocol === 6 || protocol === 17;
  const isCaptured = payloadAt !== undefined && payloadAt + 4 <= walk.end;
  const port = hasPorts && isCaptured ? u16(walk.bytes, payloadAt + 2) : undefined;
  const label = labels.get(protocol);
  return `: ${endpointText(destination, port)}${label === undefined ? '' : ` ${label}`}`;
}

const labels: ReadonlyMap<number, string> = new Map([
  [1, 'ICMP'],
  [6, 'TCP'],
  [17, 'UDP'],
  [58, 'ICMPv6'],
]);

function embeddedIn({ bytes, end, addresses }: Walk, at: number): Embedded | undefined {
  if (at + 20 > end) return undefined;
  const version = u8(bytes, at) >> 4;
  if (version === 4) {
    const headerBytes = (u8(bytes, at) & 15) * 4;
    if (headerBytes < 20) return undefined;
    const isFirst = (u16(bytes, at + 6) & 0x1fff) === 0;
    const payloadAt = isFirst ? at + headerBytes : undefined;
    return { destination: addresses.ipv4(bytes, at + 16), protocol: u8(bytes, at + 9), payloadAt };
  }
  if (version !== 6 || at + 40 > end) return undefined;
  return { destination: addresses.ipv6(bytes, at + 24), protocol: u8(bytes, at + 6), payloadAt: at + 40 };
}
