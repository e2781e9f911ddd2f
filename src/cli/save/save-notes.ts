import type { CaptureRecording } from '../../api/capture.ts';
import { listedNames } from './saved-recordings.ts';

/** A Pod whose recording has frozen rings, and what was not asked for by name: all files of it, or those of the ring. */
export type FrozenLeftOut = {
  readonly name: string;
  readonly numbers: readonly number[];
  /** The ring itself has no files: the frozen rings are saved instead. */
  readonly isSaved: boolean;
};

/** What a recording has in frozen rings that nobody asked for; undefined: nothing. Pure. */
export function frozenLeftOut(
  name: string,
  { frozen = [], files }: Pick<CaptureRecording, 'frozen' | 'files'>,
): FrozenLeftOut | undefined {
  if (frozen.length === 0) return undefined;
  const frozenFiles = frozen.reduce((sum, ring) => sum + ring.files, 0);
  return { name, numbers: frozen.map(({ number }) => number), isSaved: files <= frozenFiles };
}

/** The same in words: a line for each Pod, or for all that have the same. Pure. */
export function frozenNotes(leftOut: readonly FrozenLeftOut[]): readonly string[] {
  const same = Map.groupBy(leftOut, ({ numbers, isSaved }) => frozenText(numbers, isSaved));
  return [...same].map(([text, some]) => `${listedNames(some.map(({ name }) => name))}: ${text}`);
}

function frozenText(numbers: readonly number[], isSaved: boolean): string {
  const [rings, are] = numbers.length === 1 ? ['frozen ring', 'is'] : ['frozen rings', 'are'];
  const which = `${rings} ${numbers.join(', ')} ${are}`;
  return isSaved
    ? `${which} all that there is, and in it as with --frozen all`
    : `${which} not in it: add --frozen all`;
}

/** Running Pods that have no recording. Pure. */
export function notCapturedNote(names: readonly string[]): string {
  return `not captured: ${listedNames(names)}`;
}
