import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cniEntryText } from '../../testbed/write-cni-entry.ts';
import { parseCniEntry } from './cni-entry.ts';

const netnsFolder = '/run/netns';
const whole = { folder: '', podUid: 'uid-1', sandboxId: 'sandbox1', netns: '/var/run/netns/cni-1' };

test('an entry has the Pod, its sandbox, and the network namespace as the agent has it mounted', () => {
  expect(parseCniEntry(cniEntryText(whole), netnsFolder)).toEqual({
    pod: { namespace: 'default', name: 'web', uid: 'uid-1' },
    network: { sandboxId: 'sandbox1', netns: '/run/netns/cni-1', addresses: ['10.244.0.5'] },
  });
});

test.each([
  [
    'both families',
    { ips: [{ address: '10.0.0.5/24' }, { address: 'fd00::5/64' }] },
    ['10.0.0.5', 'fd00::5'],
  ],
  ['no list', { ip4: { ip: '10.0.0.5/24' } }, []],
  ['no result', undefined, []],
  [
    'what is no address',
    { ips: [{ address: '10.0.0/8' }, { address: 5 }, null, { address: '10.0.0.6/32' }] },
    ['10.0.0.6'],
  ],
  ['a list that is none', { ips: '10.0.0.5' }, []],
  [
    'an endless list',
    { ips: Array.from({ length: 1_000 }, () => ({ address: '10.0.0.5/8' })) },
    Array(16).fill('10.0.0.5'),
  ],
])(
  'the addresses of a result with %s are read, and an entry is valid without any',
  (_what, result, addresses) => {
    const text = JSON.stringify({ ...JSON.parse(cniEntryText(whole)), result });
    expect(parseCniEntry(text, netnsFolder)?.network.addresses).toEqual(addresses);
  },
);

test('an entry that is cut anywhere is invalid', () => {
  const text = cniEntryText(whole);
  for (let end = 0; end < text.length; end += 1)
    expect(parseCniEntry(text.slice(0, end), netnsFolder)).toBeUndefined();
});

test.each([
  '',
  'cni-1',
  '/',
  '/var/run/netns/',
  '/var/run/netns/..',
  '/var/run/netns/.',
  '/var/run/netns/../../proc/1/ns/net',
  '/var/run/netns/x/../cni-1',
  '/var/run/netns//cni-1',
  '/var/run/netns/cni-1/',
  '/var/run/netns/cni-1\0',
])('an entry with a network namespace at %j is invalid', (netns) => {
  expect(parseCniEntry(cniEntryText({ ...whole, netns }), netnsFolder)).toBeUndefined();
});

test('whatever path an entry names, the network namespace is in the mounted folder', () => {
  const part = fc.oneof(
    fc.string(),
    fc.constantFrom('..', '.', '', 'run', 'netns', 'proc', '1', 'ns', 'net'),
  );
  fc.assert(
    fc.property(fc.array(part), (parts) => {
      const netns = netnsOf(cniEntryText({ ...whole, netns: `/${parts.join('/')}` })) ?? '/run/netns/none';
      expect(netns).toMatch(/^\/run\/netns\/[^/\0]+$/);
      expect(netns).not.toMatch(/\/\.{1,2}$/);
    }),
  );
});

test('whatever a file contains, parsing it never throws', () => {
  const damaged = fc.tuple(fc.nat(), fc.nat(20), fc.string({ unit: 'binary' })).map(([at, cut, put]) => {
    const text = cniEntryText(whole);
    const start = at % text.length;
    return text.slice(0, start) + put + text.slice(start + cut);
  });
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.json(), damaged), (text) => {
      expect(netnsOf(text) ?? '/run/netns/none').toMatch(/^\/run\/netns\/[^/\0]+$/);
    }),
  );
});

test('JSON with the right fields and a wrong value is invalid', () => {
  const field = fc.constantFrom('kind', 'containerId', 'ifName', 'netns', 'cniArgs');
  const value = fc.oneof(fc.constant(null), fc.integer(), fc.boolean(), fc.constant({}), fc.constant(''));
  fc.assert(
    fc.property(field, value, (key, wrong) => {
      const text = JSON.stringify({ ...JSON.parse(cniEntryText(whole)), [key]: wrong });
      expect(parseCniEntry(text, netnsFolder)).toBeUndefined();
    }),
  );
});

function netnsOf(text: string): string | undefined {
  return parseCniEntry(text, netnsFolder)?.network.netns;
}
