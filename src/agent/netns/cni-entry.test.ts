import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cniEntryText } from '../../testbed/write-cni-entry.ts';
import { parseCniEntry } from './cni-entry.ts';

const here = '/run/netns';
const whole = { folder: '', podUid: 'uid-1', sandboxId: 'sandbox1', netns: '/var/run/netns/cni-1' };

test('an entry tells the Pod, its sandbox, and the network namespace as it is mounted here', () => {
  expect(parseCniEntry(cniEntryText(whole), here)).toEqual({
    pod: { namespace: 'default', name: 'web', uid: 'uid-1' },
    network: { sandboxId: 'sandbox1', netns: '/run/netns/cni-1' },
  });
});

test('an entry that is cut anywhere is none', () => {
  const text = cniEntryText(whole);
  for (let end = 0; end < text.length; end += 1)
    expect(parseCniEntry(text.slice(0, end), here)).toBeUndefined();
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
])('a network namespace at %j is none', (netns) => {
  expect(parseCniEntry(cniEntryText({ ...whole, netns }), here)).toBeUndefined();
});

test('whatever path an entry names, it is looked for in the mounted folder and nowhere else', () => {
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

test('whatever stands in a file, it is an entry or none, and never throws', () => {
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

test('JSON of the right fields and wrong values is no entry', () => {
  const field = fc.constantFrom('kind', 'containerId', 'ifName', 'netns', 'cniArgs');
  const value = fc.oneof(fc.constant(null), fc.integer(), fc.boolean(), fc.constant({}), fc.constant(''));
  fc.assert(
    fc.property(field, value, (key, wrong) => {
      const text = JSON.stringify({ ...JSON.parse(cniEntryText(whole)), [key]: wrong });
      expect(parseCniEntry(text, here)).toBeUndefined();
    }),
  );
});

function netnsOf(text: string): string | undefined {
  return parseCniEntry(text, here)?.network.netns;
}
