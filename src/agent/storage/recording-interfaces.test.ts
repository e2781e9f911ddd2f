import { expect, test } from 'vitest';
import { microseconds } from '../../pcap/testing/capture-files.ts';
import { type CaptureRecord, noTotals, type Totals } from './capture-records.ts';
import { recordingInterfaces } from './recording-interfaces.ts';
import type { GenerationSource } from './snapshot.ts';

const record: CaptureRecord = {
  version: 2,
  namespace: 'shop',
  pod: 'web',
  uid: 'uid-1',
  generation: 1,
  agent: 'podcap-x',
  node: 'node-a',
  sandboxId: 'sandbox1',
  addresses: ['10.0.0.1', 'fd00::1'],
  interface: 'eth0',
  filter: 'tcp port 80',
  fileMegabytes: 1,
  startTime: '2026-01-01T00:00:00.000Z',
  clock: { bootId: 'boot', startMs: 0, lastMs: 0 },
  totals: noTotals,
  forgotten: noTotals,
};

test('a generation is described with the Pod, the Node, the filter and the addresses', () => {
  expect(recordingInterfaces([source(record)]).interfaces).toEqual([
    {
      linkType: 1,
      snaplen: 262_144,
      resolution: { base: 10, exponent: 6 },
      offsetSeconds: 0n,
      name: 'shop/web/eth0',
      description: 'Node node-a, Pod UID uid-1',
      filter: 'tcp port 80',
      comment: undefined,
      addresses: ['10.0.0.1', 'fd00::1'],
    },
  ]);
});

test('what is not recorded is left out', () => {
  const { node: _node, addresses: _addresses, filter: _filter, ...old } = record;
  const [described] = recordingInterfaces([source({ ...old, snaplen: 96 })]).interfaces;
  expect(described).toMatchObject({
    description: 'Pod UID uid-1',
    filter: undefined,
    comment: 'only the first 96 bytes of each packet were kept',
  });
  expect(described).not.toHaveProperty('addresses');
  expect(recordingInterfaces([source(undefined)]).interfaces[0]?.name).toBeUndefined();
});

test('counts what the captures of an interface counted, without those of another one', () => {
  const first = { captured: 90, dropped: 4, lostAtStop: 3, pruned: 2, missed: 1, unseen: 7 };
  const second = { captured: 10, dropped: 1, lostAtStop: 1, pruned: 1, missed: 5, unseen: 1 };
  const { interfaces, known } = recordingInterfaces([
    source(record, first),
    source(record, second),
    source({ ...record, filter: 'udp' }, { captured: 5 }),
  ]);
  expect(interfaces.map((each) => known(each))).toEqual([
    {
      received: 109n,
      dropped: 5n,
      delivered: 100n,
      comment: 'pruned 3, lost at stop 4, missed at most 6, unseen 8',
    },
    expect.objectContaining({ received: 109n }),
    {
      received: 5n,
      dropped: 0n,
      delivered: 5n,
      comment: 'pruned 0, lost at stop 0, missed at most 0, unseen 0',
    },
  ]);
});

test.each<[Partial<Totals>, string]>([
  [{ unseen: undefined }, 'unseen unknown'],
  [{ unseen: 12, isUnseenPartial: true }, 'unseen 12 or more'],
])('unseen packets of %j are "%s"', (totals, text) => {
  const { interfaces, known } = recordingInterfaces([source(record, totals)]);
  expect(interfaces.map((each) => known(each).comment)).toEqual([expect.stringContaining(text)]);
});

test('nothing is known of captures without a record', () => {
  const { interfaces, known } = recordingInterfaces([source(undefined)]);
  expect(interfaces.map((each) => known(each))).toEqual([{}]);
});

test('what passed between two captures, and what was lost at the stop of the first, is missing before the second', () => {
  const { droppedBefore } = recordingInterfaces([
    source(record, { missed: 100, lostAtStop: 3 }),
    source(record, { missed: 5, lostAtStop: 7 }),
    source(undefined),
    source(record, { missed: 2 }),
  ]);
  expect([0, 1, 2, 3].map(droppedBefore)).toEqual([0, 8, 0, 9]);
});

test('what is missing of one interface is not missing of another', () => {
  const lo = { ...record, interface: 'lo' };
  const { droppedBefore } = recordingInterfaces([
    source(record, { missed: 3, lostAtStop: 1 }),
    source(lo, { missed: 20, lostAtStop: 4 }),
    source(record, { missed: 5 }),
    source(lo, { missed: 6 }),
  ]);
  expect([0, 1, 2, 3].map(droppedBefore)).toEqual([0, 0, 6, 10]);
});

function source(known: CaptureRecord | undefined, totals: Partial<Totals> = {}): GenerationSource {
  return {
    generation: 1,
    record: known && { ...known, totals: { ...noTotals, ...totals } },
    header: microseconds,
    interfaceName: known?.interface ?? '',
    place: '',
    files: [],
  };
}
