import type { RecordingCounters } from '../../api/capture.ts';
import type { Clock } from '../../base/clock.ts';
import { awaitsRecount, type CaptureRecord, isOver, totalsOf } from './capture-records.ts';
import type { Recording } from './recordings.ts';

/** How many capture files a recording has, with those of frozen rings, and their size. */
export function storedIn({ generations, frozen }: Recording): Pick<RecordingCounters, 'files' | 'bytes'> {
  const rings = [{ generations }, ...frozen];
  const files = rings.flatMap((ring) => ring.generations.flatMap((generation) => generation.files));
  return { files: files.length, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0) };
}

/** What all captures of a Pod counted, from its records, oldest first. What is not known is left out, never 0. */
export function countsOf(
  records: readonly CaptureRecord[],
  clock: Clock,
): Pick<RecordingCounters, 'packets' | 'dropped' | 'lostAtStop' | 'missed' | 'unseen' | 'isUnseenPartial'> {
  const { captured, pruned, dropped, lostAtStop, missed, unseen, isUnseenPartial } = totalsOf(records);
  // An older capture that has died is counted by the next one; one of another interface may still run.
  const unsure = records.filter((record, at) => at === records.length - 1 || !isOver(record, clock));
  const isMissedKnown = unsure.every(({ missedIfDead = 0 }) => missedIfDead === 0);
  // A capture that died was counted up to 18 s before its end. What it captured after that is counted in its files.
  const isCapturedKnown = records.every(
    (record) => record.recount !== 'unknown' && !(awaitsRecount(record) && isOver(record, clock)),
  );
  return {
    ...(isCapturedKnown && captured >= pruned && { packets: captured - pruned }),
    dropped,
    lostAtStop,
    ...(isMissedKnown && { missed }),
    ...(unseen !== undefined && { unseen }),
    ...(isUnseenPartial && { isUnseenPartial }),
  };
}
