import type { Estimate, Summary } from './support/statistics.ts';

/** One thing that is measured. Its name is also that of its result file and of its section in docs/benchmarks.md. */
export type Figure = {
  readonly name: string;
  readonly unit: string;
  /** What Podcap must reach, in words. */
  readonly goal: string;
  /** How many runs are measured without --runs. */
  readonly runs: number;
  /**
   * `cluster`: the deployed agents. `network`: an agent in network namespaces that the bench makes. `files`: commands,
   * on capture files that the bench writes. `hub`: a hub and simulated agents, on loopback.
   */
  readonly needs: 'cluster' | 'network' | 'files' | 'hub';
  readonly measure: (options: MeasureOptions) => Promise<Measurement>;
};

export type MeasureOptions = {
  readonly runs: number;
  /** Prints a line of progress. */
  readonly report: (line: string) => void;
};

export type Measurement = {
  readonly isReached: boolean;
  readonly rows: readonly Row[];
};

/** One variant at one parameter, in the figure's unit. A variant is a contender or a setup of the cluster. */
export type Row = Summary & {
  readonly variant: string;
  readonly parameter: string;
  readonly p90?: number;
  readonly p99?: number;
  /** The median ratio of each run to the measurement that it is compared with, named in `to`. */
  readonly ratio?: Estimate & { readonly to: string };
  /** Each value, in the order of the runs. */
  readonly values: readonly number[];
  /** One phrase that explains the numbers. */
  readonly remark?: string;
  /** Other observations of the same runs, for a closer look at the result. */
  readonly details?: object;
};
