import { expect, test } from 'vitest';
import { parseFilter } from './filter.ts';
import { filterHelp, filterMarkdown } from './filter-help.ts';
import { filterOperators, filterTerms } from './filter-terms.ts';
import { termWords } from './terms.ts';
import { matchedBy, type PacketName } from './testing/filter-subjects.ts';

const all = [...filterTerms, ...filterOperators];

const matchedByExample: Readonly<Record<string, readonly PacketName[]>> = {
  'udp or icmpv6': ['query', 'ping6'],
  'ip6 and not tcp': ['ping6'],
  'http or tls': ['get', 'hello'],
  'port 8000-8100': ['get'],
  'host 10.0.0.1 or net fd00::/8': ['syn', 'synAck', 'get', 'hello', 'query', 'ping'],
  'src host 10.0.0.1 and dst port 443': [],
  'tcp dst port 80': ['syn'],
  'pod shop/web-*': ['syn', 'synAck'],
  'namespace shop': ['syn', 'synAck', 'get'],
  'interface eth0': ['syn', 'synAck', 'get', 'query'],
  'vlan 100': ['hello'],
  'syn and not ack': ['syn'],
  retransmission: ['get'],
  'len > 1000': ['get'],
  '"host: example.com\\r\\n"': ['get'],
  'tcp and (port 80 or port 443)': ['syn', 'synAck', 'hello'],
  'not port 22': ['syn', 'synAck', 'get', 'hello', 'query', 'finish', 'ping6', 'ping', 'arp'],
  'tcp && rst': ['finish'],
  'dns or tcp and syn': ['syn', 'synAck', 'query'],
};

test.each(all)('the example of $syntax matches what it says', ({ example }) => {
  const filter = parseFilter(example);
  const names = filter.kind === 'filter' ? matchedBy(filter.matches) : filter;
  expect(names).toEqual(matchedByExample[example]);
});

test('every word that a term can start with is explained, and every word that is explained is known', () => {
  const explained = filterTerms.flatMap(({ syntax, matches }) => [
    ...syntax.split(', ').map((each) => each.split(' ')[0] ?? ''),
    ...Array.from(matches.matchAll(/`([a-z0-9]+)(?: [A-Z]+)?`/g), ([, word = '']) => word),
  ]);
  for (const word of termWords) expect(explained).toContain(word);
  const known = new Set([...termWords, 'web', '"TEXT"', 'PROTOCOL']);
  for (const word of explained) expect([...known]).toContain(word);
});

test('the help fits into its columns, and has every term', () => {
  const help = filterHelp(80);
  for (const line of help.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  for (const { syntax } of all) expect(help).toContain(`  ${syntax}`);
  expect(help).not.toContain('`');
  expect(help.endsWith('\n') && !help.endsWith('\n\n')).toBe(true);
});

test('the documentation has a row with three cells for every term', () => {
  const rows = filterMarkdown()
    .split('\n')
    .filter((line) => line.startsWith('|'));
  expect(rows).toHaveLength(all.length + 4);
  for (const row of rows) expect(row.match(/(?<!\\)\|/g)).toHaveLength(4);
});
