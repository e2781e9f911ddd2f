import type { HistogramValue, SampleLabels, SampleOf } from './prometheus-text.ts';

/** Numbers by labels. The labels have a bounded number of values: nothing that a client chooses. */
export type LabelledNumbers<Name extends string> = {
  readonly add: (labels: SampleLabels, amount?: number) => void;
  readonly samples: () => SampleOf<Name>[];
};

/** The values of one metric, each from 0. */
export function labelledNumbers<Name extends string>(name: Name): LabelledNumbers<Name> {
  const values = new Map<string, { readonly labels: SampleLabels; value: number }>();
  return {
    add(labels, amount = 1) {
      const key = JSON.stringify(labels);
      const known = values.get(key) ?? { labels, value: 0 };
      known.value += amount;
      values.set(key, known);
    },
    samples: () => [...values.values()].map(({ labels, value }) => ({ name, labels, value })),
  };
}

export type LabelledHistograms<Name extends string> = {
  readonly observe: (labels: SampleLabels, value: number) => void;
  readonly samples: () => SampleOf<Name>[];
};

/** The histograms of one metric with these upper bounds, which ascend. */
export function labelledHistograms<Name extends string>(
  name: Name,
  bounds: readonly number[],
): LabelledHistograms<Name> {
  const histograms = new Map<string, Histogram>();
  return {
    observe(labels, value) {
      const key = JSON.stringify(labels);
      const known = histograms.get(key) ?? { labels, counts: bounds.map(() => 0), sum: 0, count: 0 };
      for (const [index, bound] of bounds.entries())
        if (value <= bound) known.counts[index] = (known.counts[index] ?? 0) + 1;
      known.sum += value;
      known.count += 1;
      histograms.set(key, known);
    },
    samples: () =>
      [...histograms.values()].map(({ labels, ...histogram }) => ({
        name,
        labels,
        value: valueOf(bounds, histogram),
      })),
  };
}

type Histogram = { readonly labels: SampleLabels; readonly counts: number[]; sum: number; count: number };

function valueOf(
  bounds: readonly number[],
  { counts, sum, count }: Omit<Histogram, 'labels'>,
): HistogramValue {
  return { buckets: bounds.map((bound, index) => [bound, counts[index] ?? 0]), sum, count };
}
