import { parseArgs } from 'node:util';
import { status } from '../cluster/status.ts';
import { deploy } from '../tools/deploy.ts';
import { Failed, must, tool } from '../tools/run.ts';
import { checkout, ourTarget } from '../tools/target.ts';
import { admission } from './admission.ts';
import type { Figure } from './figure.ts';
import { firstPacket } from './first-packet.ts';
import { lastDatagram } from './last-datagram.ts';
import { memory } from './memory.ts';
import { resultOf, writeResult } from './result.ts';
import { settingNow } from './setting.ts';
import { startLatency } from './start-latency.ts';
import { tableOf } from './table.ts';

const figures: readonly Figure[] = [startLatency, firstPacket, lastDatagram, memory, admission];

const usage = `usage: node bench/main.ts [figure...] [--runs=<number>] [--deployed]
  figures      ${figures.map(({ name }) => name).join(', ')}; all unless some are named
  --runs       how often each is measured, in place of its own number
  --deployed   measure the agents that are deployed, instead of deploying those of this checkout first
`;

await tool(async () => {
  const asked = readArguments(process.argv.slice(2));
  if (asked.kind === 'help') {
    process.stdout.write(usage);
    return 0;
  }
  return asked.deployed ? await measureAll(asked) : await onFreshAgents(() => measureAll(asked));
});

/** Deploys the agents of this checkout first; the cluster is ended again unless it was up before. */
async function onFreshAgents(measuring: () => Promise<number>): Promise<number> {
  const wasUp = (await status(checkout)).up;
  try {
    await must(process.execPath, [`${checkout}/cluster/main.ts`, 'up']);
    await deploy(ourTarget());
    return await measuring();
  } finally {
    if (!wasUp) await must(process.execPath, [`${checkout}/cluster/main.ts`, 'down']);
  }
}

async function measureAll({ figures: chosen, runs }: Asked & { kind: 'figures' }): Promise<number> {
  const reached: boolean[] = [];
  for (const figure of chosen) reached.push(await measureFigure(figure, runs));
  return reached.every(Boolean) ? 0 : 1;
}

type Asked =
  | { readonly kind: 'help' }
  | {
      readonly kind: 'figures';
      readonly figures: readonly Figure[];
      readonly runs: number | undefined;
      readonly deployed: boolean;
    };

function readArguments(args: readonly string[]): Asked {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { runs: { type: 'string' }, deployed: { type: 'boolean' }, help: { type: 'boolean' } },
  });
  if (values.help === true) return { kind: 'help' };
  const runs = values.runs === undefined ? undefined : Number(values.runs);
  if (runs !== undefined && !(Number.isInteger(runs) && runs > 0)) throw new Failed(usage);
  return {
    kind: 'figures',
    figures: positionals.length === 0 ? figures : positionals.map(figureNamed),
    runs,
    deployed: values.deployed ?? false,
  };
}

function figureNamed(name: string): Figure {
  const figure = figures.find((candidate) => candidate.name === name);
  if (!figure) throw new Failed(`there is no figure ${name}\n${usage}`);
  return figure;
}

/** Gives back whether the goal was reached. */
async function measureFigure(figure: Figure, runs = figure.runs): Promise<boolean> {
  const say = (line: string) => void process.stderr.write(`${figure.name}: ${line}\n`);
  const setting = await settingNow();
  const measurement = await figure.measure({ runs, say });
  await writeResult(resultOf(figure, measurement, setting));
  process.stdout.write(`${tableOf(figure, measurement)}\n`);
  return measurement.isReached;
}
