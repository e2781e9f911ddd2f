import type { MeasureOptions } from '../figure.ts';

export type Rounds<Step, Run> = {
  /** What each round measures, in this order. */
  readonly steps: readonly Step[];
  readonly measureStep: (step: Step) => Promise<Run>;
  /** A run as a line of progress. */
  readonly describe: (run: Run) => string;
};

/** Returns all runs. Each round measures every step once, so that a slow minute of the machine affects them alike. */
export async function measureInRounds<Step, Run>(
  { runs, report }: MeasureOptions,
  { steps, measureStep, describe }: Rounds<Step, Run>,
): Promise<Run[]> {
  const all: Run[] = [];
  for (let round = 1; round <= runs; round += 1)
    for (const step of steps) {
      const run = await measureStep(step);
      all.push(run);
      report(`round ${round} of ${runs}: ${describe(run)}`);
    }
  return all;
}
