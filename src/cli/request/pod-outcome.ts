import { plainText } from '../../base/plain-text.ts';
import { exitCodes } from '../../commands/terminal.ts';

/** What became of what was asked for one Pod. `open`: it was asked for, and nobody has answered yet. */
export type PodOutcome = {
  readonly pod: string;
  readonly kind: 'done' | 'open' | 'failed';
  /** In words, without the name of the Pod. */
  readonly text: string;
  /** An agent refused it. */
  readonly isRefused?: true;
};

/** A line for each Pod, without what a terminal acts on. */
export function outcomeLines(outcomes: readonly PodOutcome[]): string {
  return outcomes.map(({ pod, text }) => `${plainText(`${pod}: ${text}`)}\n`).join('');
}

/** Done for all, for some, or for none. */
export function outcomeCode(outcomes: readonly PodOutcome[]): number {
  if (outcomes.every(({ kind }) => kind === 'done')) return exitCodes.done;
  return outcomes.every(({ kind }) => kind === 'failed') ? exitCodes.failed : exitCodes.incomplete;
}
