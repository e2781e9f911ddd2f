/** Summarizes a distribution, in the unit of its values. */
export type Summary = {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly runs: number;
};

/** Throws when there is no value, because nothing was measured. */
export function summary(values: readonly number[]): Summary {
  return {
    median: median(values),
    min: percentile(values, 0),
    max: percentile(values, 100),
    runs: values.length,
  };
}

/** The middle value, or the mean of the two in the middle; throws when there is no value. */
export function median(values: readonly number[]): number {
  const sorted = sortedOf(values);
  const middle = sorted.length / 2;
  const above = sorted[Math.floor(middle)] ?? Number.NaN;
  const below = sorted[Math.ceil(middle) - 1] ?? Number.NaN;
  return (below + above) / 2;
}

/** By nearest rank: the least measured value that `percent` % of all values do not exceed. Throws without values. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = sortedOf(values);
  const rank = Math.max(1, Math.ceil((percent / 100) * sorted.length));
  return sorted[rank - 1] ?? Number.NaN;
}

function sortedOf(values: readonly number[]): number[] {
  if (values.length === 0) throw new Error('no values');
  return values.toSorted((a, b) => a - b);
}

/** A median, and the bounds between which it lies with the given confidence (0 to 1). */
export type Estimate = {
  readonly median: number;
  readonly low: number;
  readonly high: number;
  readonly confidence: number;
};

/** Estimates by the bootstrap: the medians of many samples drawn from the values, with replacement. */
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

/** Pseudorandom numbers from 0 to 1; the same seed gives the same numbers, so that results can be recomputed. */
export function lcg(seed: number): () => number {
  let state = seed;
  return () => {
    // Numerical Recipes' constants.
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
