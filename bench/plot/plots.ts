import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { checkout } from '../../tools/target.ts';
import { type Result, readResults } from '../support/result.ts';
import { barPlot, type Panel } from './bar-plot.ts';
import { linePlot } from './line-plot.ts';
import type { Svg } from './svg.ts';
import type { VariantSpread } from './variants.ts';

/** The plots of all results that have one, by their path in the checkout. */
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

/** Writes the plots into docs/benchmarks, and prints the path of each. */
export async function drawPlots(): Promise<void> {
  for (const [file, content] of await renderPlots()) {
    const path = join(checkout, file);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
    process.stdout.write(`${file}\n`);
  }
}

/** The paths of the plots that exist in the checkout. */
export async function drawnPlots(): Promise<string[]> {
  const names = await readdir(join(checkout, folder)).catch(() => []);
  return names.filter((name) => name.endsWith('.svg')).map((name) => `${folder}/${name}`);
}

/** The function that draws a figure's result, by the figure's name. */
export const plots: Readonly<Record<string, (result: Result) => Svg>> = {
  'others-throughput': (result) => throughputPlot(result, 'thousand datagrams/s', 1e3),
  'others-throughput-tcp': (result) => throughputPlot(result, 'Gbit/s', 1e9),
  loss: lossPlot,
  merge: mergePlot,
};

function throughputPlot({ rows, machine }: Result, yLabel: string, divisor: number): Svg {
  return linePlot({
    title: 'Throughput of two uncaptured Pods while other Pods are captured',
    caption: `Median, minimum and maximum of at least ${minRuns(rows)} runs. ${describeMachine(machine)}`,
    xLabel: 'other Pods captured on the Node',
    yLabel,
    points: rows.map(({ variant, parameter, median, min, max }) => ({
      variant,
      x: Number(parameter),
      median: median / divisor,
      min: min / divisor,
      max: max / divisor,
    })),
    format: (value) => String(Math.round(value * 10) / 10),
  });
}

/** A parameter is "<load>" or "<load>, 128 B of each". */
function lossPlot({ rows, machine }: Result): Svg {
  const parameters = [...new Set(rows.map(({ parameter }) => parameter))];
  const barsOf = (parameter: string): VariantSpread[] => rows.filter((row) => row.parameter === parameter);
  const panel = (title: string, panelParameters: readonly string[]): Panel => ({
    title,
    groups: panelParameters.map((parameter) => ({
      name: parameter.replace(/, .*/, ''),
      bars: barsOf(parameter),
    })),
  });
  return barPlot({
    title: 'Packets lost by the capture of one Pod',
    caption: `Median, minimum and maximum of ${minRuns(rows)} runs. ${describeMachine(machine)}`,
    yLabel: '% of the packets on the Pod’s interface',
    panels: [
      panel(
        'whole packets',
        parameters.filter((parameter) => !parameter.includes(', ')),
      ),
      panel(
        '128 bytes of each packet',
        parameters.filter((parameter) => parameter.includes(', ')),
      ),
    ],
    format: (value) => String(value < 10 ? Math.round(value * 10) / 10 : Math.round(value)),
  });
}

/** A parameter is "<length of the packets>" or "<length> in <files>". What is slow was run once. */
function mergePlot({ rows, machine }: Result): Svg {
  const parameters = [...new Set(rows.map(({ parameter }) => parameter))];
  return barPlot({
    title: 'Merging the captures of 100 Pods',
    caption: `Median, minimum and maximum of up to ${Math.max(...rows.map(({ runs }) => runs))} runs. ${describeMachine(machine)}`,
    yLabel: 'MB/s of input',
    panels: [
      {
        title: '100 rings, by the length of their packets',
        groups: parameters.map((parameter) => ({
          name: parameter,
          bars: rows.filter((row) => row.parameter === parameter),
        })),
      },
    ],
    format: (value) => String(Math.round(value)),
  });
}

function minRuns(rows: Result['rows']): number {
  return Math.min(...rows.map(({ runs }) => runs));
}

function describeMachine(machine: Result['machine']): string {
  return `${machine.cores} cores (${machine.cpu}), Linux ${machine.kernel}`;
}
