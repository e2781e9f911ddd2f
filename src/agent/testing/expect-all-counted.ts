import { expect } from 'vitest';
import type { RecorderReport } from '../observability/capture-status.ts';

/**
 * Of at least so many numbered datagrams that were sent after the first capture began, each is in a file or in a counter; and
 * no counter says "captured" of what is in no file. `numbers` are those in the files, if these can be read.
 *
 * What passed between the start of a later capture and the look at its interface is in its file, and missed as well:
 * more can be counted than was sent, never less. Gives back how many.
 */
export function expectAllCounted(told: {
  readonly reports: readonly RecorderReport[];
  readonly sent: number;
  readonly numbers: readonly number[] | undefined;
}): number {
  const { reports, sent, numbers } = told;
  const last = reports.at(-1);
  if (last?.kind !== 'stopped') throw new Error('the recording has not stopped');
  const { captured, pruned, dropped, lostAtStop, missed } = last.totals;
  if (numbers) {
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(numbers.length).toBe(captured - pruned);
  }
  const counted = captured + dropped + lostAtStop + missed;
  expect(counted).toBeGreaterThanOrEqual(sent);
  return counted - sent;
}
