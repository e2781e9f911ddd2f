import { addressWords, type IpNetwork, isInNetwork, readNetwork } from './ip-address.ts';
import { type Matcher, type Problem, problemAt } from './matcher.ts';
import { maxPort } from './port-numbers.ts';
import { shown, type TokenCursor } from './token-cursor.ts';
import type { Token } from './tokens.ts';

export type Direction = 'either' | 'source' | 'destination';

/** Whether a word starts a term about ports or addresses, which a protocol can be directly before. */
export function isQualifier(token: Token): boolean {
  return token.kind === 'word' && qualifiers.has(token.text.toLowerCase());
}

const qualifiers: ReadonlySet<string> = new Set(['port', 'portrange', 'host', 'net', 'src', 'dst']);

/** What follows `src` or `dst`: port, host or net; or an address, which means host. */
export function directionTerm(cursor: TokenCursor, direction: Direction): Matcher | Problem {
  const token = cursor.peek();
  if (token.kind === 'bad') return problemAt(token, token.message);
  const word = token.kind === 'word' ? token.text.toLowerCase() : '';
  switch (word) {
    case 'port':
    case 'portrange':
      cursor.take();
      return portTerm(cursor, direction);
    case 'host':
    case 'net':
      cursor.take();
      return addressTerm(cursor, direction);
    default:
  }
  if (readNetwork(word)) return addressTerm(cursor, direction);
  const short = direction === 'source' ? 'src' : 'dst';
  return problemAt(
    token,
    `after "${short}" there must be a port or an address, as in "${short} port 80" or "${short} host 10.0.0.1", not ${shown(token)}`,
  );
}

/** What follows `port`: a number, or a range with both ends. */
export function portTerm(cursor: TokenCursor, direction: Direction): Matcher | Problem {
  const token = cursor.take();
  if (token.kind === 'bad') return problemAt(token, token.message);
  if (token.kind === 'comparison') return problemAt(token, `write "port 80", without ${shown(token)}`);
  const numbers = /^([0-9]{1,6})(?:-([0-9]{1,6}))?$/.exec(token.kind === 'word' ? token.text : '');
  const from = Number(numbers?.[1]);
  const to = Number(numbers?.[2] ?? from);
  if (!numbers || from > maxPort || to > maxPort) return badPort(token);
  if (from > to) return problemAt(token, `this range is empty: write "port ${to}-${from}"`);
  return portMatcher({ from, to }, direction);
}

/** Names of services that tcpdump takes from /etc/services. */
const knownPorts: ReadonlyMap<string, number> = new Map([
  ['ssh', 22],
  ['domain', 53],
  ['dns', 53],
  ['http', 80],
  ['https', 443],
]);

function badPort(token: Token): Problem {
  const message = `a port must be a number from 0 to ${maxPort} or a range such as 8000-8100, not ${shown(token)}`;
  const known = knownPorts.get(token.text.toLowerCase());
  if (known !== undefined) return problemAt(token, `${message}: write "port ${known}"`);
  const isList = /^[0-9]{1,5}(,[0-9]{1,5})+$/.test(token.text);
  return problemAt(token, isList ? `${message}: write "port 80 or port 443" for several` : message);
}

function portMatcher(
  { from, to }: { readonly from: number; readonly to: number },
  direction: Direction,
): Matcher {
  const isSource: Matcher = ({ packet: { sourcePort: port } }) =>
    port !== undefined && port >= from && port <= to;
  const isDestination: Matcher = ({ packet: { destinationPort: port } }) =>
    port !== undefined && port >= from && port <= to;
  return directed({ isSource, isDestination }, direction);
}

function directed(
  { isSource, isDestination }: { readonly isSource: Matcher; readonly isDestination: Matcher },
  direction: Direction,
): Matcher {
  switch (direction) {
    case 'source':
      return isSource;
    case 'destination':
      return isDestination;
    case 'either':
      return (subject) => isSource(subject) || isDestination(subject);
  }
}

/** What follows `host` or `net`: an address, or a network such as 10.0.0.0/8. */
export function addressTerm(cursor: TokenCursor, direction: Direction): Matcher | Problem {
  const token = cursor.take();
  if (token.kind === 'bad') return problemAt(token, token.message);
  if (token.kind === 'comparison') return problemAt(token, `write "host 10.0.0.1", without ${shown(token)}`);
  const network = token.kind === 'word' ? readNetwork(token.text) : undefined;
  return network ? addressMatcher(network, direction) : badAddress(token);
}

/** An address with its port, as 10.0.0.1:80 or as tcpdump writes it, 10.0.0.1.80, as a term; undefined if it is none. */
export function endpointTerm(text: string): string | undefined {
  const [, address = '', port = ''] = /^([0-9.]{7,15})[:.]([0-9]{1,5})$/.exec(text) ?? [];
  return readNetwork(address) && Number(port) <= maxPort ? `host ${address} and port ${port}` : undefined;
}

function badAddress(token: Token): Problem {
  const message = `an address must be one such as 10.0.0.1, 10.0.0.0/8, fd00::1 or fd00::/8, not ${shown(token)}`;
  if (/^([0-9a-f]{1,2}[:-]){5}[0-9a-f]{1,2}$/i.test(token.text))
    return problemAt(token, `${message}: link-layer addresses cannot be searched`);
  const endpoint = endpointTerm(token.text);
  if (endpoint !== undefined) return problemAt(token, `${message}: write "(${endpoint})"`);
  if (token.text.includes('%')) return problemAt(token, `${message}: leave out the zone after %`);
  if (token.kind === 'word' && /[g-z]/i.test(token.text))
    return problemAt(token, `${message}: names are not looked up`);
  return problemAt(token, message);
}

function addressMatcher(network: IpNetwork, direction: Direction): Matcher {
  const isIn = rememberedTest(network);
  const isSource: Matcher = ({ packet: { source } }) => source !== undefined && isIn(source);
  const isDestination: Matcher = ({ packet: { destination } }) =>
    destination !== undefined && isIn(destination);
  return directed({ isSource, isDestination }, direction);
}

/** To look an address up takes much less time than to read it. */
const rememberedAddresses = 1_024;

function rememberedTest(network: IpNetwork): (address: string) => boolean {
  const scratch = new Uint16Array(addressWords);
  const remembered = new Map<string, boolean>();
  return (address) => {
    const known = remembered.get(address);
    if (known !== undefined) return known;
    const isIn = isInNetwork(address, network, scratch);
    if (remembered.size === rememberedAddresses) remembered.clear();
    remembered.set(address, isIn);
    return isIn;
  };
}
