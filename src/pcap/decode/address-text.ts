import { u8, u16, u32 } from './network-bytes.ts';

/** Addresses as text, from a cache: a capture has many packets and few addresses. */
export type AddressTexts = {
  readonly ipv4: (bytes: Uint8Array, at: number) => string;
  readonly ipv6: (bytes: Uint8Array, at: number) => string;
};

/** A cache of `slots` (a power of two) addresses of each kind; each address has one slot, and its last user owns it. */
export function addressTexts(slots = 4096): AddressTexts {
  const ipv4Keys = new Uint32Array(slots);
  const ipv4Texts = Array.from({ length: slots }, () => '');
  const ipv6Keys = new Uint32Array(slots * 4);
  const ipv6Texts = Array.from({ length: slots }, () => '');
  return {
    ipv4(bytes, at) {
      const key = u32(bytes, at);
      const slot = mix(key) & (slots - 1);
      const cached = ipv4Texts[slot] ?? '';
      if (ipv4Keys[slot] === key && cached !== '') return cached;
      ipv4Keys[slot] = key;
      return (ipv4Texts[slot] = ipv4Text(bytes, at));
    },
    ipv6(bytes, at) {
      const a = u32(bytes, at);
      const b = u32(bytes, at + 4);
      const c = u32(bytes, at + 8);
      const d = u32(bytes, at + 12);
      const slot = mix(d ^ mix(c ^ mix(b ^ mix(a)))) & (slots - 1);
      const key = slot * 4;
      const cached = ipv6Texts[slot] ?? '';
      const isSame = ipv6Keys[key] === a && ipv6Keys[key + 1] === b;
      if (isSame && ipv6Keys[key + 2] === c && ipv6Keys[key + 3] === d && cached !== '') return cached;
      ipv6Keys[key] = a;
      ipv6Keys[key + 1] = b;
      ipv6Keys[key + 2] = c;
      ipv6Keys[key + 3] = d;
      return (ipv6Texts[slot] = ipv6Text(bytes, at));
    },
  };
}

/** Spreads neighbouring numbers: the finalizer of MurmurHash3, shortened. */
function mix(value: number): number {
  const spread = Math.imul(value ^ (value >>> 16), 0x85eb_ca6b);
  return spread ^ (spread >>> 13);
}

export function ipv4Text(bytes: Uint8Array, at: number): string {
  return `${u8(bytes, at)}.${u8(bytes, at + 1)}.${u8(bytes, at + 2)}.${u8(bytes, at + 3)}`;
}

/** As RFC 5952 wants it: the longest run of zeros is `::`, IPv4-mapped addresses end in dotted decimal. */
export function ipv6Text(bytes: Uint8Array, at: number): string {
  const { from, to } = longestZeros(bytes, at);
  if (from === 0 && to === 5 && u16(bytes, at + 10) === 0xffff) return `::ffff:${ipv4Text(bytes, at + 12)}`;
  if (to - from < 2) return groups(bytes, at, 8);
  return `${groups(bytes, at, from)}::${groups(bytes, at + to * 2, 8 - to)}`;
}

/** From which group of 16 bits to which there are zeros; the first of the longest runs. */
function longestZeros(bytes: Uint8Array, at: number): { readonly from: number; readonly to: number } {
  let longest = { from: 0, to: 0 };
  let from = 0;
  for (let group = 0; group < 8; group += 1)
    if (u16(bytes, at + group * 2) !== 0) from = group + 1;
    else if (group + 1 - from > longest.to - longest.from) longest = { from, to: group + 1 };
  return longest;
}

function groups(bytes: Uint8Array, at: number, count: number): string {
  let text = '';
  for (let group = 0; group < count; group += 1)
    text += (group === 0 ? '' : ':') + u16(bytes, at + group * 2).toString(16);
  return text;
}

/** A link-layer address of `length` bytes, as 02:42:ac:11:00:02. */
export function macText(bytes: Uint8Array, at: number, length = 6): string {
  let text = '';
  for (let i = 0; i < length; i += 1)
    text +=
      (i === 0 ? '' : ':') +
      u8(bytes, at + i)
        .toString(16)
        .padStart(2, '0');
  return text;
}

/** An address with its port: brackets keep the colons of IPv6 and that of the port apart. */
export function endpointText(address: string, port: number | undefined): string {
  if (port === undefined) return address;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
