import { join } from 'node:path';
import type { Argv } from '../../src/testbed/run-program.ts';
import { temporaryFolder } from '../../src/testbed/temporary-folder.ts';
import type { Figure, Measurement, MeasureOptions, Row } from '../figure.ts';
import { type RingSpec, type WrittenRings, writeRings } from '../support/capture-rings.ts';
import { checkMerged } from '../support/check-merged.ts';
import { type MeasuredRun, measureRun, type RunOptions } from '../support/measured-run.ts';
import { podcapProgram } from '../support/podcap-program.ts';
import { measureInRounds } from '../support/rounds.ts';
import { rowOf } from '../support/row.ts';
import { estimate, median } from '../support/statistics.ts';

/** How fast `podcap merge` merges the rings of 100 Pods, beside the programs that Debian has for it. */
export const merge: Figure = {
  name: 'merge',
  unit: 'MB/s of input',
  goal: '>= 1.5 times mergecap, and <= 150 MB of memory',
  runs: 7,
  needs: 'files',
  measure,
};

const minRatio = 1.5;
const maxMegabytes = 150;

type MergeCase = {
  readonly name: string;
  readonly rings: RingSpec;
  /** To a file in memory, as people merge, but without the noise of a disk; or to /dev/null, which takes no time. */
  readonly to: 'memory' | 'null';
};

/** As large as Podcap's rings are by default. */
const largePackets: RingSpec = { rings: 100, filesPerRing: 1, fileBytes: 10_000_000, packetBytes: 1_400 };

const cases: readonly MergeCase[] = [
  { name: '1,400 B', rings: largePackets, to: 'memory' },
  {
    name: '66 B',
    rings: { rings: 100, filesPerRing: 1, fileBytes: 2_000_000, packetBytes: 66 },
    to: 'memory',
  },
  {
    name: '1,400 B in 100 files each',
    rings: { rings: 100, filesPerRing: 100, fileBytes: 60_000, packetBytes: 1_400 },
    to: 'memory',
  },
  { name: '1,400 B to /dev/null', rings: largePackets, to: 'null' },
];

type Merger = {
  readonly name: string;
  readonly argvOf: (files: readonly string[], to: string) => Argv;
  readonly env?: RunOptions['env'];
};

const peers: readonly Merger[] = ['mergecap', 'tcpslice'].map((name) => ({
  name,
  argvOf: (files, to) => [name, '-w', to, ...files],
}));

/** What lets the peers open all files at once: they fail with the default limit. */
const raisedOpenFiles = 20_000;

type MergeStep = { readonly merger: Merger; readonly mergeCase: MergeCase; readonly rings: WrittenRings };

type MergeRun = MeasuredRun & {
  readonly variant: string;
  readonly parameter: string;
  readonly rings: WrittenRings;
  /** Why it failed with the default limit of open files. */
  readonly failure: string | undefined;
};

async function measure(options: MeasureOptions): Promise<Measurement> {
  await using folder = await temporaryFolder();
  const { command, env } = await podcapProgram(folder.path);
  const podcap: Merger = {
    name: 'podcap',
    argvOf: (files, to) => [...command, 'merge', ...files, '--to', to],
    env,
  };
  const written = new Map<RingSpec, WrittenRings>();
  for (const spec of new Set(cases.map(({ rings }) => rings))) {
    options.report(`writing the files of ${spec.packetBytes} B packets, ${spec.filesPerRing} for each ring`);
    const rings = await writeRings(join(folder.path, String(written.size)), spec);
    await checkMerged((to) => podcap.argvOf(rings.paths, to), rings.packets);
    written.set(spec, rings);
  }
  const steps = cases.flatMap((mergeCase) => {
    const rings = written.get(mergeCase.rings);
    return rings ? [podcap, ...peers].map((merger): MergeStep => ({ merger, mergeCase, rings })) : [];
  });
  const slow = new Map<string, MergeRun>();
  const runs = await measureInRounds(options, {
    steps,
    measureStep: (step) => measureStep(step, slow),
    describe: (run) => `${run.parameter}: ${run.variant} ${perSecond(run).toFixed(0)} MB/s`,
  });
  return measurementOf(runs);
}

/** A program that takes longer than this is measured only once. */
const slowSeconds = 30;

async function measureStep(step: MergeStep, slow: Map<string, MergeRun>): Promise<MergeRun> {
  const key = `${step.merger.name} ${step.mergeCase.name}`;
  const run = slow.get(key) ?? (await measureOnce(step));
  if (run.seconds > slowSeconds) slow.set(key, run);
  return run;
}

async function measureOnce({ merger, mergeCase, rings }: MergeStep): Promise<MergeRun> {
  await using memory = await temporaryFolder('/dev/shm');
  const command = merger.argvOf(
    rings.paths,
    mergeCase.to === 'null' ? '/dev/null' : join(memory.path, 'merged'),
  );
  const env = merger.env ?? {};
  const first = await measureRun(command, { env });
  const run = first.kind === 'done' ? first : await measureRun(command, { env, openFiles: raisedOpenFiles });
  if (run.kind === 'failed') throw new Error(`${merger.name} failed: ${run.message}`);
  const failure = first.kind === 'failed' ? first.message : undefined;
  return { ...run, variant: merger.name, parameter: mergeCase.name, rings, failure };
}

function perSecond({ rings, seconds }: MergeRun): number {
  return rings.bytes / 1e6 / seconds;
}

function measurementOf(runs: readonly MergeRun[]): Measurement {
  const variants = ['podcap', ...peers.map(({ name }) => name)];
  const rows = cases.flatMap(({ name: parameter }) => {
    const ofCase = runs.filter((run) => run.parameter === parameter);
    const reference = ofCase.filter(({ variant }) => variant === 'mergecap');
    return variants.map((variant) =>
      rowOfRuns(
        ofCase.filter((run) => run.variant === variant),
        reference,
      ),
    );
  });
  return { isReached: rows.filter(({ variant }) => variant === 'podcap').every(isReached), rows };
}

/** Nobody merges to /dev/null: that case is there to compare what writing costs. */
function isReached({ parameter, ratio, details }: MergeRow): boolean {
  const isFast = ratio.median >= minRatio || parameter.endsWith('/dev/null');
  return isFast && Math.max(...details.maxRssMegabytes) <= maxMegabytes;
}

type MergeRow = Omit<Row, 'details' | 'ratio'> & {
  readonly ratio: NonNullable<Row['ratio']>;
  readonly details: {
    readonly packetsPerSecond: number;
    readonly cpuSeconds: readonly number[];
    readonly maxRssMegabytes: readonly number[];
  };
};

/** Of one program and case; `reference`: mergecap's runs in the same rounds. */
function rowOfRuns(runs: readonly MergeRun[], reference: readonly MergeRun[]): MergeRow {
  const [first] = runs;
  if (!first) throw new Error('no runs');
  const { variant, parameter, rings, failure } = first;
  // A slow program has the same run in every round.
  const measured = [...new Set(runs)];
  const row = rowOf(variant, parameter, measured.map(perSecond));
  const cpuSeconds = measured.map((run) => run.cpuSeconds);
  const maxRssMegabytes = measured.map((run) => run.maxRssMegabytes);
  const packetsPerSecond = Math.round(rings.packets / median(measured.map(({ seconds }) => seconds)));
  const ratios = runs.map((run, round) => perSecond(run) / perSecond(reference[round] ?? run));
  const limit = failure === undefined ? '' : `; with ${raisedOpenFiles} open files, with 1,024 it fails`;
  return {
    ...row,
    ratio: { ...estimate(ratios), to: 'mergecap' },
    remark:
      `${(packetsPerSecond / 1e6).toFixed(2)} million packets/s, ${median(cpuSeconds).toFixed(2)} s of CPU, ` +
      `${Math.max(...maxRssMegabytes).toFixed(0)} MB${limit}`,
    details: { packetsPerSecond, cpuSeconds, maxRssMegabytes },
  };
}
