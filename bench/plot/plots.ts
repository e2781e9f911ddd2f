import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { checkout } from '../../tools/target.ts';
import { type Result, readResults } from '../support/result.ts';
import { type Bar, barPlot, type Panel } from './bar-plot.ts';
import { linePlot } from './line-plot.ts';
import type { Svg } from './svg.ts';

/** Path in the checkout to what should stand there: a plot for each result that has one. */
export async function renderPlots(): Promise<ReadonlyMap<string, Svg>> {
  const results = await readResults();
  return new Map(
    results.flatMap((result) => {
      const plot = plots[result.figure];
      return plot ? [[`${folder}/${result.figure}.svg`, plot(result)] as const] : [];
    }),
  );
}

const folder = 'docs/benchmarks';

export async function drawPlots(): Promise<void> {
  for (const [file, content] of await renderPlots()) {
    const path = join(checkout, file);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
    process.stdout.write(`${file}\n`);
  }
}

/** The plots that stand in the checkout. */
export async function drawnPlots(): Promise<string[]> {
  const names = await readdir(join(checkout, folder)).catch(() => []);
  return names.filter((name) => name.endsWith('.svg')).map((name) => `${folder}/${name}`);
}

/** By the figure's name. */
export const plots: Readonly<Record<string, (result: Result) => Svg>> = {
  'others-throughput': (result) => throughputPlot(result, 'thousand datagrams/s', 1e3),
  'others-throughput-tcp': (result) => throughputPlot(result, 'Gbit/s', 1e9),
  loss: lossPlot,
};

function throughputPlot({ rows, ...setting }: Result, yLabel: string, unit: number): Svg {
  return linePlot({
    title: 'Two Pods that nobody captures, while others are captured',
    below: `Medians, least and most of at least ${leastRuns(rows)} runs. ${settingOf(setting)}`,
    xLabel: 'other Pods of the Node that are captured',
    yLabel,
    points: rows.map(({ variant, parameter, median, min, max }) => ({
      variant,
      x: Number(parameter),
      median: median / unit,
      min: min / unit,
      max: max / unit,
    })),
    shown: (value) => String(Math.round(value * 10) / 10),
  });
}

/** A parameter is "<load>" or "<load>, 128 B of each". */
function lossPlot({ rows, ...setting }: Result): Svg {
  const parameters = [...new Set(rows.map(({ parameter }) => parameter))];
  const barsOf = (parameter: string): Bar[] => rows.filter((row) => row.parameter === parameter);
  const panel = (title: string, chosen: readonly string[]): Panel => ({
    title,
    groups: chosen.map((parameter) => ({
      name: parameter.replace(/, .*/, ''),
      bars: barsOf(parameter),
    })),
  });
  return barPlot({
    title: 'Packets that a capture of one Pod loses',
    below: `Medians, least and most of ${leastRuns(rows)} runs. ${settingOf(setting)}`,
    yLabel: '% of the packets that the Pod’s interface carries',
    panels: [
      panel(
        'whole packets',
        parameters.filter((parameter) => !parameter.includes(', ')),
      ),
      panel(
        '128 bytes of each',
        parameters.filter((parameter) => parameter.includes(', ')),
      ),
    ],
    shown: (value) => String(value < 10 ? Math.round(value * 10) / 10 : Math.round(value)),
  });
}

function leastRuns(rows: Result['rows']): number {
  return Math.min(...rows.map(({ runs }) => runs));
}

function settingOf({ machine }: Pick<Result, 'machine'>): string {
  return `${machine.cores} cores (${machine.cpu}), Linux ${machine.kernel}`;
}
