import type { RecordingGeneration } from './recorded-generations.ts';
import { type Recording, readRecording } from './recordings.ts';
import { openSnapshots, type Snapshot } from './snapshot.ts';

/** The generations of each ring to read, oldest first. */
export type ChosenRings = readonly (readonly RecordingGeneration[])[];

/** A ring is set aside within seconds, and once a minute at most. */
const mostAttempts = 5;

/**
 * Opens rings of a recording as they are at one moment: while a ring is being set aside, its files move, and they are
 * listed again. `choose` is called with the recording as it is then.
 */
export async function openRecordingSnapshot(
  recording: Recording,
  choose: (recording: Recording) => ChosenRings,
): Promise<Snapshot> {
  let current = recording;
  for (let attempt = 1; ; attempt += 1) {
    const snapshot = await openSnapshots(choose(current));
    const next = (await readRecording(current.folder, current)) ?? current;
    if (attempt === mostAttempts || placesOf(next) === placesOf(current)) return snapshot;
    await snapshot[Symbol.asyncDispose]();
    current = next;
  }
}

/**
 * The ring as it is read without its frozen rings: with the files of one that is being set aside, which are on their way.
 */
export function ringOfRecording({ generations, frozen }: Recording): ChosenRings {
  const moving = frozen.filter(({ record }) => record.frozen === undefined);
  return [...moving.map((ring) => ring.generations), generations];
}

/** Every ring. */
export function allRings({ generations, frozen }: Recording): ChosenRings {
  return [...frozen.map((ring) => ring.generations), generations];
}

/** A text that changes whenever files have been moved. */
function placesOf({ frozen }: Recording): string {
  return JSON.stringify(
    frozen.map(({ record, files }) => [record.number, record.frozen !== undefined, files]),
  );
}
