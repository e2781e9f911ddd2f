/** Addresses that share their first bits. The words after the prefix are 0 in `words` as they are in `masks`. */
export type IpNetwork = {
  readonly family: IpFamily;
  readonly words: Uint16Array;
  readonly masks: Uint16Array;
};

export type IpFamily = 4 | 6;

/** Words of 16 bits that hold any address: 8 for IPv6; IPv4 uses the first two. */
export const addressWords = 8;

/** Reads an address, with a prefix length after a slash or without. Bits after the prefix are ignored. */
export function readNetwork(text: string): IpNetwork | undefined {
  const slash = text.indexOf('/');
  const words = new Uint16Array(addressWords);
  const family = readAddress(slash < 0 ? text : text.slice(0, slash), words);
  if (family === undefined) return undefined;
  const prefix = slash < 0 ? addressBits(family) : prefixLength(text.slice(slash + 1));
  if (prefix === undefined || prefix > addressBits(family)) return undefined;
  const masks = words.map((_, at) => 0xffff << (16 - Math.min(16, Math.max(0, prefix - 16 * at))));
  return { family, words: words.map((word, at) => word & (masks[at] ?? 0)), masks };
}

export function addressBits(family: IpFamily): number {
  return family === 4 ? 32 : 128;
}

function prefixLength(text: string): number | undefined {
  return /^[0-9]{1,3}$/.test(text) ? Number(text) : undefined;
}

/** Whether an address is in the network. `scratch` has room for the words of an address, so that none is allocated. */
export function isInNetwork(text: string, network: IpNetwork, scratch: Uint16Array): boolean {
  if (readAddress(text, scratch) !== network.family) return false;
  const count = addressBits(network.family) / 16;
  for (let at = 0; at < count; at += 1) {
    if (((scratch[at] ?? 0) & (network.masks[at] ?? 0)) !== network.words[at]) return false;
  }
  return true;
}

/** Reads an IP address in any spelling of RFC 4291; undefined if it is none. Allocates only for IPv6 with an IPv4 end. */
export function readAddress(text: string, into: Uint16Array): IpFamily | undefined {
  if (text.includes(':')) return readIpv6(text, into) ? 6 : undefined;
  return readIpv4(text, 0, into) ? 4 : undefined;
}

/** Four decimal numbers from `from` to the end, as two words from the start of `into`. */
function readIpv4(text: string, from: number, into: Uint16Array): boolean {
  let at = from;
  for (let octet = 0; octet < 4; octet += 1) {
    if (octet > 0 && text.charCodeAt(at++) !== dot) return false;
    const start = at;
    let value = 0;
    for (let code = text.charCodeAt(at); code >= zero && code <= nine; code = text.charCodeAt(at)) {
      value = value * 10 + code - zero;
      at += 1;
      if (at - start > 3) return false;
    }
    // A leading zero means octal to some programs.
    if (at === start || value > 255 || (at - start > 1 && text.charCodeAt(start) === zero)) return false;
    const word = octet >> 1;
    into[word] = octet % 2 === 0 ? value << 8 : (into[word] ?? 0) | value;
  }
  return at === text.length;
}

const [dot, colon, zero, nine] = [0x2e, 0x3a, 0x30, 0x39];

function readIpv6(text: string, into: Uint16Array): boolean {
  let count = 0;
  let gap = text.startsWith('::') ? 0 : -1;
  let at = gap === 0 ? 2 : 0;
  while (at < text.length) {
    const end = endOfHex(text, at);
    if (text.charCodeAt(end) === dot) {
      if (count > 6 || !readIpv4(text, at, into.subarray(count))) return false;
      count += 2;
      break;
    }
    if (count === addressWords || end === at || end - at > 4) return false;
    into[count] = hexValue(text, at, end);
    count += 1;
    at = end;
    if (at === text.length) break;
    if (text.charCodeAt(at) !== colon) return false;
    at += 1;
    if (text.charCodeAt(at) === colon) {
      if (gap >= 0) return false;
      gap = count;
      at += 1;
    } else if (at === text.length) return false;
  }
  if (gap < 0) return count === addressWords;
  return fillGap(into, gap, count);
}

/** Moves the words after `::` to the end. It stands for one word at least. */
function fillGap(into: Uint16Array, gap: number, count: number): boolean {
  if (count >= addressWords) return false;
  into.copyWithin(addressWords - (count - gap), gap, count);
  into.fill(0, gap, addressWords - (count - gap));
  return true;
}

function endOfHex(text: string, from: number): number {
  let at = from;
  while (hexDigit(text.charCodeAt(at)) >= 0) at += 1;
  return at;
}

function hexValue(text: string, from: number, to: number): number {
  let value = 0;
  for (let at = from; at < to; at += 1) value = value * 16 + hexDigit(text.charCodeAt(at));
  return value;
}

function hexDigit(code: number): number {
  if (code >= zero && code <= nine) return code - zero;
  const letter = (code | 0x20) - 0x61;
  return letter >= 0 && letter < 6 ? letter + 10 : -1;
}
