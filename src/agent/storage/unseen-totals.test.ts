import fc from 'fast-check';
import { expect, test } from 'vitest';
import { addTotals, hasUnknownUnseen, noTotals, type Totals, unseenTotals } from './capture-records.ts';

const known = (unseen: number): Totals => ({ ...noTotals, unseen });
const unknown: Totals = { ...noTotals, unseen: undefined };

test.each([
  [known(2), known(3), { unseen: 5 }],
  [known(0), unknown, { unseen: undefined }],
  [noTotals, unknown, { unseen: undefined }],
  [known(2), unknown, { unseen: 2, isUnseenPartial: true }],
])('of %o and %o, the sum is %o', (a, b, sum) => {
  const { unseen, isUnseenPartial } = addTotals(a, b);
  expect({ unseen, isUnseenPartial }).toEqual(sum);
});

test('in any order, a sum has what is known, and says if anything is unknown', () => {
  const model = fc.property(fc.array(fc.tuple(fc.nat(1_000), fc.boolean())), (parts) => {
    const totals = parts.map(([unseen, isPartial]) => ({ ...noTotals, ...unseenTotals(unseen, isPartial) }));
    const sum = totals.reduce(addTotals, noTotals);
    expect(totals.toReversed().reduce(addTotals, noTotals)).toEqual(sum);
    expect(sum.unseen ?? 0).toBe(parts.reduce((all, [unseen]) => all + unseen, 0));
    expect(hasUnknownUnseen(sum)).toBe(parts.some(([, isPartial]) => isPartial));
  });
  fc.assert(model);
});
