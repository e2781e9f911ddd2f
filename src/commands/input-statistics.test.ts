import { expect, test } from 'vitest';
import type { ReceivedPackets } from '../pcap/packet-reader.ts';
import { plainInterface } from '../pcap/testing/capture-bytes.ts';
import { inputStatistics } from './input-statistics.ts';

const web = { ...plainInterface, name: 'shop/web/eth0' };
const db = { ...plainInterface, name: 'shop/db/eth0' };
const counted = (received?: number, dropped?: number): ReceivedPackets => ({ received, dropped });

test.each<[string, readonly (ReceivedPackets | undefined)[], object]>([
  ['one input', [counted(5, 1)], { received: 5n, dropped: 1n }],
  ['the sum of inputs', [counted(5, 1), counted(7, 0)], { received: 12n, dropped: 1n }],
  ['nothing where one input says nothing', [counted(5, 1), undefined], {}],
  ['nothing where the first input says nothing', [undefined, counted(5, 1)], {}],
  ['only what each input says', [counted(5, 1), counted(7)], { received: 12n }],
  ['nothing without an input', [], {}],
])('an interface has counted %s', (_what, inputs, expected) => {
  const statistics = inputStatistics();
  for (const received of inputs)
    statistics.add({ interfaces: [web], received: [received] }, (description) => description);
  expect(statistics.known(web)).toEqual({ received: undefined, dropped: undefined, ...expected });
});

test('what operating systems dropped is summed up as well', () => {
  const statistics = inputStatistics();
  for (const droppedBySystem of [3, 4])
    statistics.add({ interfaces: [web], received: [{ ...counted(1, 0), droppedBySystem }] }, (each) => each);
  expect(statistics.known(web)).toMatchObject({ droppedBySystem: 7n });
});

test('an interface has the comments of its inputs, each once', () => {
  const statistics = inputStatistics();
  for (const comment of ['pruned 5', undefined, 'pruned 0', 'pruned 5'])
    statistics.add({ interfaces: [web], received: [{ ...counted(1, 0), comment }] }, (each) => each);
  expect(statistics.known(web).comment).toBe('pruned 5; pruned 0');
});

test('interfaces are kept apart, by the names that they have in the output', () => {
  const statistics = inputStatistics();
  statistics.add(
    { interfaces: [web, plainInterface], received: [counted(1, 0), counted(2, 0)] },
    (description) => (description === plainInterface ? db : description),
  );
  expect([web, db].map((each) => statistics.known(each).received)).toEqual([1n, 2n]);
});
