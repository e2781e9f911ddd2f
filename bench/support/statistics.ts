/** A distribution in a few numbers, in the unit of its values. */
export type Summary = {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly runs: number;
};

/** Throws when there is no value: nothing was measured. */
export function summary(values: readonly number[]): Summary {
  return {
    median: median(values),
    min: percentile(values, 0),
    max: percentile(values, 100),
    runs: values.length,
  };
}

/** The middle value, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = sortedOf(values);
  const middle = sorted.length / 2;
  const above = sorted[Math.floor(middle)] ?? Number.NaN;
  const below = sorted[Math.ceil(middle) - 1] ?? Number.NaN;
  return (below + above) / 2;
}

/** By nearest rank: the least value that so many per cent of all do not exceed; one that was really measured. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = sortedOf(values);
  const rank = Math.max(1, Math.ceil((percent / 100) * sorted.length));
  return sorted[rank - 1] ?? Number.NaN;
}

function sortedOf(values: readonly number[]): number[] {
  if (values.length === 0) throw new Error('no values');
  return values.toSorted((a, b) => a - b);
}

/** A median with the bounds between which it lies, with that much confidence. */
export type Estimate = {
  readonly median: number;
  readonly low: number;
  readonly high: number;
  readonly confidence: number;
};

/** By the bootstrap: the medians of many samples that are drawn from the values, each value as often as it comes. */
export function estimate(
  values: readonly number[],
  {
    confidence = 0.95,
    resamples = 10_000,
  }: { readonly confidence?: number; readonly resamples?: number } = {},
): Estimate {
  const random = lcg(values.length);
  const drawn = () => values[Math.floor(random() * values.length)] ?? Number.NaN;
  const medians = Array.from({ length: resamples }, () => median(values.map(drawn)));
  const tail = ((1 - confidence) / 2) * 100;
  return {
    median: median(values),
    low: percentile(medians, tail),
    high: percentile(medians, 100 - tail),
    confidence,
  };
}

/** Numbers from 0 to 1, the same for the same seed: a result file can be computed again. */
function lcg(seed: number): () => number {
  let state = seed;
  return () => {
    // Numerical Recipes' constants.
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
