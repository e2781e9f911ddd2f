import { expect, test } from 'vitest';
import { plainInterface } from '../pcap/testing/capture-bytes.ts';
import { inputNames, namedInterface } from './input-names.ts';

test.each([
  [
    ['a/web.pcap', 'db.pcapng', 'standard input'],
    ['web.pcap', 'db.pcapng', 'standard input'],
  ],
  // One ring, or one file twice.
  [
    ['a/web.pcap0', 'a/web.pcap12', 'a/web.pcap'],
    ['web.pcap', 'web.pcap', 'web.pcap'],
  ],
  [
    ['a/web.pcap0', 'b/web.pcap0', 'b/db.pcap1'],
    ['a/web.pcap', 'b/web.pcap', 'db.pcap'],
  ],
  // Only tcpdump's numbers follow the extension.
  [['web.pcapng2'], ['web.pcapng2']],
  [[], []],
])('%j are called %j', (files, names) => {
  expect(inputNames(files)).toEqual(names);
});

test('an interface keeps its own name', () => {
  expect(namedInterface({ ...plainInterface, name: 'eth0' }, 'web.pcap').name).toBe('eth0');
  expect(namedInterface({ ...plainInterface, name: '' }, 'web.pcap').name).toBe('web.pcap');
  expect(namedInterface(plainInterface, 'web.pcap').name).toBe('web.pcap');
});
