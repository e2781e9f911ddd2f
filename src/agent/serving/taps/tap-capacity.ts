import { tapRingKib } from './tap-tcpdump.ts';

/** What taps may use of the kernel memory for receive rings; captures get the rest. */
export type TapCapacity = { readonly maxTaps: number; readonly reservedBytes: number };

/** Without a hub nobody asks for taps, and nothing is reserved. */
export const noTaps: TapCapacity = { maxTaps: 0, reservedBytes: 0 };

/** As many taps as are allowed, but never more than a quarter of the budget: captures were here first. Pure. */
export function tapCapacity(maxTaps: number, bufferBudgetBytes: number): TapCapacity {
  const ringBytes = tapRingKib * 1_024;
  const most = Math.min(maxTaps, Math.floor(bufferBudgetBytes / 4 / ringBytes));
  return { maxTaps: most, reservedBytes: most * ringBytes };
}
