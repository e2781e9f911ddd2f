import { expect, test } from 'vitest';
import { type ObservedDisk, observedDisk } from './observed-disk.ts';

type Sizes = Readonly<Record<string, number>>;

type Case = {
  readonly what: string;
  readonly sampled: Sizes;
  readonly now: Sizes;
  /** Of 100 bytes that were available. */
  readonly observed: Pick<ObservedDisk, 'deletedBytes'> & { readonly availableBytes: number };
};

const cases: readonly Case[] = [
  {
    what: 'nothing has changed',
    sampled: { a: 10, b: 20 },
    now: { a: 10, b: 20 },
    observed: { availableBytes: 100, deletedBytes: 0 },
  },
  {
    what: 'a capture that was measured again has grown',
    sampled: { a: 10, b: 20 },
    now: { a: 15, b: 20 },
    observed: { availableBytes: 95, deletedBytes: 0 },
  },
  {
    what: 'a folder has appeared',
    sampled: {},
    now: { a: 7 },
    observed: { availableBytes: 93, deletedBytes: 0 },
  },
  {
    what: 'a folder was deleted',
    sampled: { a: 10, b: 20 },
    now: { a: 10 },
    observed: { availableBytes: 100, deletedBytes: 20 },
  },
  {
    what: 'one has grown, and one was pruned',
    sampled: { a: 10, b: 20 },
    now: { a: 13, b: 16 },
    observed: { availableBytes: 97, deletedBytes: 4 },
  },
];

test.each(cases)('$what', ({ sampled, now, observed }) => {
  const { disk, deletedBytes } = observedDisk(
    {
      disk: { availableBytes: 100, capacityBytes: 1_000 },
      bytesOf: new Map(Object.entries(sampled)),
      isMeasured: false,
      heldBytes: 0,
    },
    new Map(Object.entries(now).map(([uid, bytes]) => [uid, { bytes }])),
  );
  expect({ availableBytes: disk.availableBytes, deletedBytes }).toEqual(observed);
  expect(disk.capacityBytes).toBe(1_000);
});
