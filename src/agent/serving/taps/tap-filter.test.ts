import { expect, test } from 'vitest';
import { checkFilter } from '../../capture/filter-check.ts';
import { withoutHubs } from './tap-filter.ts';

const hubs = [
  { address: '10.0.0.7', port: 10_251 },
  { address: 'fd00::7', port: 10_251 },
];
const others = 'not ((host 10.0.0.7 and tcp port 10251) or (host fd00::7 and tcp port 10251))';

test.each([
  ['no filter', undefined, hubs, others],
  ['a filter', 'udp or tcp port 80', hubs, `(udp or tcp port 80) and ${others}`],
  ['no hub', 'udp', [], 'udp'],
  ['nothing', undefined, [], undefined],
  ['a hub twice', undefined, [...hubs, ...hubs], others],
  [
    'an IPv4 address of an IPv6 socket',
    undefined,
    [{ address: '::ffff:10.0.0.7', port: 1 }],
    'not ((host 10.0.0.7 and tcp port 1))',
  ],
  ['a zone', undefined, [{ address: 'fe80::7%eth0', port: 1 }], 'not ((host fe80::7 and tcp port 1))'],
  ['what is no address', 'udp', [{ address: 'host) or (tcp', port: 1 }], 'udp'],
])('leaves the connections to hubs out: %s', (_what, filter, some, expected) => {
  expect(withoutHubs(filter, some)).toBe(expected);
});

test('tcpdump compiles it', async () => {
  const filter = withoutHubs('udp or tcp port 80', hubs) ?? '';
  expect(await checkFilter(filter, { userId: 10_001 })).toEqual({ kind: 'accepted' });
});
