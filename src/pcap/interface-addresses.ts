import { ipv4Text, ipv6Text } from './decode/address-text.ts';
import { addressBits, addressWords, readAddress } from './filter/ip-address.ts';

/** An IP address as it is in a packet: 4 or 16 bytes; undefined if the text is none. */
export function addressBytes(text: string): Uint8Array | undefined {
  const words = new Uint16Array(addressWords);
  const family = readAddress(text, words);
  if (family === undefined) return undefined;
  return new Uint8Array(addressBits(family) / 8).map((_, at) => {
    const word = words[at >> 1] ?? 0;
    return at % 2 === 0 ? word >> 8 : word & 0xff;
  });
}

/** The value of if_IPv4addr (address and mask) or if_IPv6addr (address and prefix length): the address alone. */
export function addressOption(address: Uint8Array): Uint8Array {
  const isIpv4 = address.length === 4;
  const value = new Uint8Array(isIpv4 ? 8 : 17).fill(isIpv4 ? 0xff : 128, address.length);
  value.set(address);
  return value;
}

/** The address in such a value, at `at`. */
export function addressText(bytes: Uint8Array, at: number, family: 4 | 6): string {
  return family === 4 ? ipv4Text(bytes, at) : ipv6Text(bytes, at);
}
