/** A metric: its name, help text and labels. */
export type MetricDescription<Name extends string = string> = {
  readonly name: Name;
  readonly help: string;
  readonly labels: readonly string[];
  readonly type: 'gauge' | 'counter' | 'histogram';
};

/** One value of a metric at this moment. */
export type SampleOf<Name extends string> = {
  readonly name: Name;
  readonly labels?: SampleLabels;
  readonly value: number | HistogramValue;
};

export type SampleLabels = Readonly<Record<string, string>>;

/** What a histogram has counted. */
export type HistogramValue = {
  /** How many were at most that, by upper bound, ascending; each with those of the bounds before. */
  readonly buckets: readonly (readonly [upperBound: number, count: number])[];
  readonly sum: number;
  readonly count: number;
};

/** The samples in the text format that Prometheus reads, version 0.0.4; a metric without a sample is left out. */
export function prometheusText<Name extends string>(
  descriptions: readonly MetricDescription<Name>[],
  samples: readonly SampleOf<Name>[],
): string {
  const byName = Map.groupBy(samples, ({ name }) => name);
  return descriptions
    .flatMap(({ name, help, type }) => {
      const samplesOfName = byName.get(name) ?? [];
      if (samplesOfName.length === 0) return [];
      return [`# HELP ${name} ${help}\n`, `# TYPE ${name} ${type}\n`, ...samplesOfName.map(sampleLines)];
    })
    .join('');
}

export function gauge<Name extends string>(name: Name, help: string, labels: readonly string[] = []) {
  return { name, help, labels, type: 'gauge' } as const;
}

export function counter<Name extends string>(name: Name, help: string, labels: readonly string[] = []) {
  return { name, help, labels, type: 'counter' } as const;
}

export function histogram<Name extends string>(name: Name, help: string, labels: readonly string[] = []) {
  return { name, help, labels, type: 'histogram' } as const;
}

function sampleLines({ name, labels = {}, value }: SampleOf<string>): string {
  if (typeof value === 'number') return sampleLine(name, labels, value);
  const buckets = value.buckets.map(([bound, count]) =>
    sampleLine(`${name}_bucket`, { ...labels, le: `${bound}` }, count),
  );
  return [
    ...buckets,
    sampleLine(`${name}_bucket`, { ...labels, le: '+Inf' }, value.count),
    sampleLine(`${name}_sum`, labels, value.sum),
    sampleLine(`${name}_count`, labels, value.count),
  ].join('');
}

function sampleLine(name: string, labels: SampleLabels, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`);
  return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}\n`;
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
