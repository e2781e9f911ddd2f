import type { StreamEnd } from '../../api/stream-frames.ts';
import { addTotals, type CaptureRecord, type Totals } from '../storage/capture-records.ts';

/** What the captures of these records are known to lack, for the end of a stream; nothing if one of them has no record. */
export function countsAtEnd(
  records: readonly (CaptureRecord | undefined)[],
): Pick<StreamEnd, 'dropped' | 'lostAtStop' | 'missed' | 'unseen' | 'pruned'> {
  let sum: Totals | undefined;
  for (const record of records) {
    if (!record) return {};
    sum = sum ? addTotals(sum, record.totals) : record.totals;
  }
  if (!sum) return {};
  const { dropped, lostAtStop, missed, pruned, unseen } = sum;
  return { dropped, lostAtStop, missed, pruned, ...(unseen !== undefined && { unseen }) };
}
