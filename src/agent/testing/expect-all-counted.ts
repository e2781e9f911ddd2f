import { expect } from 'vitest';
import type { CaptureReport } from '../observability/capture-status.ts';

/**
 * Expects that each of at least `sent` numbered datagrams, sent after the first capture started, is in a file or in a
 * counter, and that no packet counts as captured that is in no file. `numbers` are those in the files, if these can be
 * read.
 *
 * A packet between the start of a later capture and the first reading of its interface's counter is in its file and
 * counts as missed too: more can be counted than was sent, never less. Returns how many more.
 */
export function expectAllCounted(observed: {
  readonly reports: readonly CaptureReport[];
  readonly sent: number;
  readonly numbers: readonly number[] | undefined;
}): number {
  const { reports, sent, numbers } = observed;
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
