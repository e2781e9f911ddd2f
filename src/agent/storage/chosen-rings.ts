import type { RecordingGeneration } from './recorded-generations.ts';
import { allRings, type ChosenRings, ringOfRecording } from './recording-snapshot.ts';
import type { Recording } from './recordings.ts';

/** What of a recording is read. */
export type RingChoice = {
  /** A frozen ring by its number; `all`: every frozen ring and the ring itself; undefined: only the ring. */
  readonly frozen: number | 'all' | undefined;
  /** Only this start of tcpdump; undefined: all of them. */
  readonly generation?: number | undefined;
};

/** The rings to read, oldest first, each with its generations. Pure. */
export function ringsOf(recording: Recording, { frozen, generation }: RingChoice): ChosenRings {
  const isChosen = ({ number }: RecordingGeneration) => generation === undefined || number === generation;
  return chosenRings(recording, frozen).map((ring) => ring.filter(isChosen));
}

/** Why what was chosen cannot be read. `NotFound`: it does not exist; `BeingFrozen`: not yet under this number. */
export type ChoiceProblem = { readonly reason: 'NotFound' | 'BeingFrozen'; readonly message: string };

/** Why that cannot be read; undefined if it can. The words fit the command line and the API. Pure. */
export function choiceProblem(
  recording: Recording,
  { frozen, generation }: RingChoice,
): ChoiceProblem | undefined {
  if (typeof frozen === 'number') {
    const ring = recording.frozen.find(({ record }) => record.number === frozen);
    if (ring && !ring.record.frozen) {
      const message = `ring ${frozen} is still being frozen: until then it is part of the ring itself`;
      return { reason: 'BeingFrozen', message };
    }
    const have = recording.frozen.flatMap(({ record }) => (record.frozen ? record.number : []));
    if (!ring) return notFound(`no frozen ring ${frozen}: this Pod has ${have.join(', ') || 'none'}`);
  }
  const all = chosenRings(recording, frozen).flat();
  if (generation !== undefined && !all.some(({ number }) => number === generation))
    return notFound(`no generation ${generation}: this Pod has ${numbers(all)}`);
  return undefined;
}

function notFound(message: string): ChoiceProblem {
  return { reason: 'NotFound', message };
}

function chosenRings(recording: Recording, frozen: RingChoice['frozen']): ChosenRings {
  if (frozen === undefined) return ringOfRecording(recording);
  if (frozen === 'all') return allRings(recording);
  return recording.frozen.flatMap((ring) => (ring.record.number === frozen ? [ring.generations] : []));
}

function numbers(generations: readonly RecordingGeneration[]): string {
  return generations.length === 0 ? 'none' : generations.map(({ number }) => number).join(', ');
}
