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

const usage = `usage: node bench/main.ts [figure...] [--runs=<number>] [--deployed] [--try] [--draw]
  figures      all unless some are named: ${figures.map(({ name }) => name).join(', ')}
  --runs       how often each is measured, in place of its own number
  --deployed   measure the agents that are deployed, instead of deploying those of this checkout first
  --try        write no result, draw no plot
  --draw       measure nothing, draw the plots of the results that are there
`;

await tool(async () => {
  const asked = readArguments(process.argv.slice(2));
  switch (asked.kind) {
    case 'help':
      process.stdout.write(usage);
      return 0;
    case 'draw':
      await drawPlots();
      return 0;
    case 'measure':
      return await measure(asked);
  }
});

/** First what needs no cluster, while none takes its share of the machine. */
async function measure(asked: Measure): Promise<number> {
  const alone = asked.figures.filter(({ needs }) => needs === 'network');
  const onCluster = asked.figures.filter(({ needs }) => needs === 'cluster');
  const reached = await measureAll(alone, asked);
  if (onCluster.length > 0) {
    const measuring = () => measureAll(onCluster, asked);
    reached.push(...(asked.deployed ? await measuring() : await onFreshAgents(measuring)));
  }
  if (!asked.isTry) await drawPlots();
  return reached.every(Boolean) ? 0 : 1;
}

/** Deploys the agents of this checkout first; the cluster is ended again unless it was up before. */
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

/** Gives back of each whether its goal was reached. */
async function measureAll(chosen: readonly Figure[], asked: Measure): Promise<boolean[]> {
  const reached: boolean[] = [];
  for (const figure of chosen) reached.push(await measureFigure(figure, asked));
  return reached;
}

/** Gives back whether the goal was reached. What breaks one figure does not cost the others, after hours perhaps. */
async function measureFigure(figure: Figure, { runs, isTry }: Measure): Promise<boolean> {
  const say = (line: string) => void process.stderr.write(`${figure.name}: ${line}\n`);
  try {
    const setting = await describeEnvironment(figure.needs);
    const measurement = await figure.measure({ runs: runs ?? figure.runs, say });
    if (!isTry) await writeResult(resultOf(figure, measurement, setting));
    process.stdout.write(`${tableOf(figure, measurement)}\n`);
    return measurement.isReached;
  } catch (error) {
    say(`not measured: ${inspect(error)}`);
    return false;
  }
}

type Asked = { readonly kind: 'help' } | { readonly kind: 'draw' } | Measure;

type Measure = {
  readonly kind: 'measure';
  readonly figures: readonly Figure[];
  readonly runs: number | undefined;
  readonly deployed: boolean;
  readonly isTry: boolean;
};

function readArguments(args: readonly string[]): Asked {
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
  if (!figure) throw new Failed(`there is no figure ${name}\n${usage}`);
  return figure;
}
