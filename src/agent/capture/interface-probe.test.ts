import { expect, test } from 'vitest';
import { countsAsSockets, parseProbe } from './interface-probe.ts';

test.each([
  [
    'interface 7: driver veth, generic receive offload off',
    { index: 7, driver: 'veth', mergesReceived: false },
  ],
  [
    'interface 3: driver bridge, generic receive offload on',
    { index: 3, driver: 'bridge', mergesReceived: true },
  ],
  ['podcap-interface-probe: lo: driver: Operation not supported', undefined],
  ['', undefined],
])('%j says %o', (line, kind) => {
  expect(parseProbe(line)).toEqual(kind);
});

test.each([
  ['veth', false, true],
  ['veth', true, false],
  ['netkit', false, true],
  ['macvlan', false, false],
  ['tun', false, false],
])('%s, with received packets merged: %s, counts as sockets: %s', (driver, mergesReceived, is) => {
  expect(countsAsSockets({ driver, mergesReceived })).toBe(is);
});
