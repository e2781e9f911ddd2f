import { inspect, parseArgs } from 'node:util';
import { status } from '../cluster/cluster-status.ts';
import { deploy } from '../tools/deploy.ts';
import { Failed, must, tool } from '../tools/shell.ts';
import { checkout, ourTarget } from '../tools/target.ts';
import { figures } from './all-figures.ts';
import type { Figure } from './figure.ts';
import { drawPlots } from './plot/plots.ts';
import { describeEnvironment } from './support/bench-environment.ts';
import { resultOf, writeResult } from './support/result.ts';
import { tableOf } from './support/table.ts';

const usage = `usage: node bench/main.ts [figure...] [--runs=<number>] [--deployed] [--try] [--draw] [--help]
  figure       one of ${figures.map(({ name }) => name).join(', ')}; all by default
  --runs       number of runs of each figure, instead of its default
  --deployed   measure the deployed agents; by default those of this checkout are deployed first
  --try        write no results and draw no plots
  --draw       only draw the plots of the existing results
  --help       print this text
`;

await tool(async () => {
  const command = readArguments(process.argv.slice(2));
  switch (command.kind) {
    case 'help':
      process.stdout.write(usage);
      return 0;
    case 'draw':
      await drawPlots();
      return 0;
    case 'measure':
      return await measure(command);
  }
});

/** Measures the figures that need no cluster first: a running cluster takes its share of the machine. */
async function measure(command: MeasureCommand): Promise<number> {
  const onMachine = command.figures.filter(({ needs }) => needs !== 'cluster');
  const onCluster = command.figures.filter(({ needs }) => needs === 'cluster');
  const reached = await measureAll(onMachine, command);
  if (onCluster.length > 0) {
    const measuring = () => measureAll(onCluster, command);
    reached.push(...(command.deployed ? await measuring() : await onFreshAgents(measuring)));
  }
  if (!command.isTry) await drawPlots();
  return reached.every(Boolean) ? 0 : 1;
}

/** Deploys the agents of this checkout first; afterwards stops the cluster, unless it was up before. */
async function onFreshAgents<T>(measuring: () => Promise<T>): Promise<T> {
  const wasUp = (await status(checkout)).up;
  try {
    await must(process.execPath, [`${checkout}/cluster/main.ts`, 'up']);
    await deploy(ourTarget());
    return await measuring();
  } finally {
    if (!wasUp) await must(process.execPath, [`${checkout}/cluster/main.ts`, 'down']);
  }
}

/** Returns for each figure whether its goal is reached. */
async function measureAll(chosen: readonly Figure[], command: MeasureCommand): Promise<boolean[]> {
  const reached: boolean[] = [];
  for (const figure of chosen) reached.push(await measureFigure(figure, command));
  return reached;
}

/** Returns whether the goal is reached. A figure that fails must not cost the other figures, perhaps after hours. */
async function measureFigure(figure: Figure, { runs, isTry }: MeasureCommand): Promise<boolean> {
  const report = (line: string) => void process.stderr.write(`${figure.name}: ${line}\n`);
  try {
    const environment = await describeEnvironment(figure.needs);
    const measurement = await figure.measure({ runs: runs ?? figure.runs, report });
    if (!isTry) await writeResult(resultOf(figure, measurement, environment));
    process.stdout.write(`${tableOf(figure, measurement)}\n`);
    return measurement.isReached;
  } catch (error) {
    report(`failed to measure: ${inspect(error)}`);
    return false;
  }
}

type BenchCommand = { readonly kind: 'help' } | { readonly kind: 'draw' } | MeasureCommand;

type MeasureCommand = {
  readonly kind: 'measure';
  readonly figures: readonly Figure[];
  readonly runs: number | undefined;
  readonly deployed: boolean;
  readonly isTry: boolean;
};

function readArguments(args: readonly string[]): BenchCommand {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      runs: { type: 'string' },
      deployed: { type: 'boolean' },
      try: { type: 'boolean' },
      draw: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  });
  if (values.help === true) return { kind: 'help' };
  if (values.draw === true) return { kind: 'draw' };
  const runs = values.runs === undefined ? undefined : Number(values.runs);
  if (runs !== undefined && !(Number.isInteger(runs) && runs > 0)) throw new Failed(usage);
  return {
    kind: 'measure',
    figures: positionals.length === 0 ? figures : positionals.map(figureNamed),
    runs,
    deployed: values.deployed ?? false,
    isTry: values.try ?? false,
  };
}

function figureNamed(name: string): Figure {
  const figure = figures.find((candidate) => candidate.name === name);
  if (!figure) throw new Failed(`unknown figure ${name}\n${usage}`);
  return figure;
}
