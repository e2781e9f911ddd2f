import { expect, test } from 'vitest';
import { ringBytes } from '../storage/ring-size.ts';
import { openHandovers } from './handovers.ts';

const size = { files: 5, fileMegabytes: 1 };
/** Enough for one handover. */
const spare = { budgetBytes: 1.5 * ringBytes(size), diskBytes: 1.5 * ringBytes(size) };

test('before the first plan, no handover is allowed', () => {
  expect(openHandovers().spareRings(size)).toBe(0);
});

test('a handover that goes on when the next plan is made leaves no more to the others', () => {
  const handovers = openHandovers();
  handovers.planned({ spare });
  expect(handovers.spareRings(size)).toBe(1);
  const first = handovers.begin(size);
  expect(handovers.spareRings(size)).toBe(0);
  handovers.planned({ spare });
  expect(handovers.spareRings(size)).toBe(0);
  first[Symbol.dispose]();
  expect(handovers.spareRings(size)).toBe(1);
});
