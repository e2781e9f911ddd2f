import { expect, test } from 'vitest';
import { plainInterface } from '../pcap/testing/capture-bytes.ts';
import { addressNames } from './address-names.ts';
import { namedInterface } from './input-names.ts';
import { scanned } from './testing/scanned-capture.ts';

test.each([
  ['the Pod of its interface', [['shop/web/eth0', ['10.0.0.1']]], { '10.0.0.1': 'shop/web' }],
  [
    'one name for two interfaces of a Pod',
    [
      ['shop/web/eth0', ['10.0.0.1', 'fd00::1']],
      ['shop/web/net1', ['10.0.0.1']],
    ],
    { '10.0.0.1': 'shop/web', 'fd00::1': 'shop/web' },
  ],
  [
    'no name if two Pods have had it',
    [
      ['shop/web/eth0', ['10.0.0.1']],
      ['shop/db/eth0', ['10.0.0.1', '10.0.0.2']],
    ],
    { '10.0.0.2': 'shop/db' },
  ],
  ['the name of an interface that is of no Pod', [['eth0', ['10.0.0.1']]], { '10.0.0.1': 'eth0' }],
  ['the name of the file', [[undefined, ['10.0.0.1']]], { '10.0.0.1': 'a/b/web.pcap' }],
  ['nothing that is no address', [['shop/web/eth0', ['localhost']]], {}],
] as const)('an address has %s', (_what, interfaces, expected) => {
  const captures = interfaces.map(([name, addresses]) =>
    scanned({ interfaces: [{ ...plainInterface, name }], addresses: [addresses] }),
  );
  const named = addressNames(captures, (_, description) => namedInterface(description, 'a/b/web.pcap'));
  expect(Object.fromEntries(named.map(({ address, name }) => [textOf(address), name]))).toEqual(expected);
});

function textOf(address: Uint8Array): string {
  return address.length === 4 ? address.join('.') : `fd00::${address.at(-1)}`;
}
