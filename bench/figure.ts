import type { Estimate, Summary } from './support/statistics.ts';

/** One thing that is measured. Its name is the name of its result file and of its place in docs/benchmarks.md. */
export type Figure = {
  readonly name: string;
  readonly unit: string;
  /** What Podcap must reach, in words. */
  readonly goal: string;
  /** How often it is measured unless said otherwise. */
  readonly runs: number;
  /** `cluster`: the deployed agents. `network`: the agent in networks that the bench makes itself. */
  readonly needs: 'cluster' | 'network';
  readonly measure: (measuring: Measuring) => Promise<Measurement>;
};

export type Measuring = {
  readonly runs: number;
  /** Tells people how far it is. */
  readonly say: (line: string) => void;
};

export type Measurement = {
  readonly isReached: boolean;
  readonly rows: readonly Row[];
};

/** One variant (podcap, or what people would use instead) at one parameter, in the figure's unit. */
export type Row = Summary & {
  readonly variant: string;
  readonly parameter: string;
  readonly p90?: number;
  readonly p99?: number;
  /** The median of what each run had against what it is compared with in the same run. */
  readonly ratio?: Estimate & { readonly to: string };
  /** Each value, in the order of the runs. */
  readonly values: readonly number[];
  /** What the numbers say, in words. */
  readonly remark?: string;
  /** What else was seen, for whoever asks why. */
  readonly details?: object;
};
