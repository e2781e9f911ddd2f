import { expect, test } from 'vitest';
import { plainInterface } from '../../pcap/testing/capture-bytes.ts';
import { type ForeignInterface, foreignText, ownInterfaces } from './own-interfaces.ts';

function shown(names: readonly (string | undefined)[]) {
  const foreign: ForeignInterface[] = [];
  const own = ownInterfaces({ namespace: 'shop', pod: 'db' }, (each) => foreign.push(each));
  const described = names.map((name) => own({ ...plainInterface, ...(name !== undefined && { name }) }));
  return { names: described.map(({ name }) => name), foreign };
}

test('the interfaces of the Pod keep their names', () => {
  const names = ['shop/db/eth0', 'shop/db/net1'];
  expect(shown(names)).toEqual({ names, foreign: [] });
});

test.for([
  ['shop/web/eth0', 'shop/db/shop:web:eth0'],
  ['shop/db-2/eth0', 'shop/db/shop:db-2:eth0'],
  ['shop/db', 'shop/db/shop:db'],
  ['shop/db/a/b', 'shop/db/shop:db:a:b'],
  ['', 'shop/db/unnamed'],
  [undefined, 'shop/db/unnamed'],
  ['x'.repeat(70_000), `shop/db/${'x'.repeat(200)}`],
] as const)('%s is shown as one of the Pod', ([name, shownAs]) => {
  expect(shown([name])).toEqual({ names: [shownAs], foreign: [{ name: name ?? '', shownAs }] });
});

test('the first one is told', () => {
  const { foreign } = shown(['shop/web/eth0', 'shop/web/eth1']);
  expect(foreign.map((each) => foreignText('db', each))).toEqual([
    'the Node of db sends packets of an interface called shop/web/eth0, which is none of db: it is shown as shop/db/shop:web:eth0',
  ]);
});

test('an interface keeps the description it is given', () => {
  const own = ownInterfaces({ namespace: 'shop', pod: 'db' }, () => {});
  const described = { ...plainInterface, name: 'shop/web/eth0' };
  expect(own(described)).toBe(own(described));
});
