import { expect, test } from 'vitest';
import { ringBytes } from '../storage/ring-size.ts';
import { openHandovers } from './handovers.ts';

const size = { files: 5, fileMegabytes: 1 };
/** Enough for one handover. */
const spare = { budgetBytes: 1.5 * ringBytes(size), diskBytes: 1.5 * ringBytes(size) };

test('before the first plan, no handover is allowed', () => {
  expect(openHandovers().isAllowed(size)).toBe(false);
});

test('a handover that goes on when the next plan is made leaves no more to the others', () => {
  const handovers = openHandovers();
  handovers.planned({ spare });
  expect(handovers.isAllowed(size)).toBe(true);
  const first = handovers.begin(size);
  expect(handovers.isAllowed(size)).toBe(false);
  handovers.planned({ spare });
  expect(handovers.isAllowed(size)).toBe(false);
  first[Symbol.dispose]();
  expect(handovers.isAllowed(size)).toBe(true);
});
