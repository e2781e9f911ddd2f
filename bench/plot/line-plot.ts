import { heightIn, type PlotFrame, ticks, valueAxis, whisker } from './axis.ts';
import { drawing, element, faint, ink, line, type Svg, text } from './svg.ts';
import { lookOf } from './variants.ts';

/** Values against a number: a line for each variant through its medians, with the least and the most of each. */
export type LinePlot = {
  readonly title: string;
  readonly below: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly points: readonly Point[];
  readonly shown: (value: number) => string;
};

export type Point = {
  readonly variant: string;
  readonly x: number;
  readonly median: number;
  readonly min: number;
  readonly max: number;
};

const width = 720;
const height = 414;
const frame: PlotFrame = { left: 76, right: 690, top: 108, bottom: 330 };

export function linePlot({ title, below, xLabel, yLabel, points, shown }: LinePlot): Svg {
  const scale = ticks(Math.max(...points.map(({ max }) => max)));
  const variants = [...new Set(points.map(({ variant }) => variant))];
  return drawing(
    { width, height, title, description: descriptionOf(points, shown) },
    text(title, { x: 20, y: 28, 'font-size': 16, 'font-weight': 'bold' }),
    ...variants.map((variant, i) => legend(variant, 20 + i * 130, 54)),
    ...valueAxis(frame, scale, yLabel, shown),
    ...xAxis(points, xLabel),
    ...variants.flatMap((variant) =>
      series(
        variant,
        points.filter((point) => point.variant === variant),
        heightIn(frame, scale),
      ),
    ),
    text(below, { x: 20, y: height - 14, 'font-size': 12 }),
  );
}

function series(variant: string, points: readonly Point[], y: (value: number) => number): Svg[] {
  const { color } = lookOf(variant);
  const x = xOf(points);
  const path = points.map((point) => `${x(point.x).toFixed(1)},${y(point.median).toFixed(1)}`).join(' ');
  return [
    element('polyline', { points: path, fill: 'none', stroke: color, 'stroke-width': 2 }),
    ...points.flatMap((point) => [
      whisker(x(point.x), y, point.min, point.max, color),
      element('circle', { cx: x(point.x), cy: y(point.median), r: 4, fill: color }),
    ]),
  ];
}

function xAxis(points: readonly Point[], label: string): Svg[] {
  const x = xOf(points);
  const { left, right, bottom } = frame;
  const values = [...new Set(points.map((point) => point.x))];
  return [
    line(left, bottom, right, bottom, { stroke: ink }),
    ...values.flatMap((value) => [
      line(x(value), bottom, x(value), bottom + 5, { stroke: ink }),
      // 0 and 1 would lie on each other.
      value === 1 ? '' : text(String(value), { x: x(value), y: bottom + 20, 'text-anchor': 'middle' }),
    ]),
    text(label, { x: (left + right) / 2, y: bottom + 40, 'text-anchor': 'middle' }),
  ].filter((part) => part !== '');
}

function xOf(points: readonly Point[]): (value: number) => number {
  const most = Math.max(...points.map(({ x }) => x));
  return (value) => frame.left + 12 + (value / most) * (frame.right - frame.left - 24);
}

export function legend(variant: string, x: number, y: number): Svg {
  const { name, color } = lookOf(variant);
  return [
    element('rect', { x, y: y - 10, width: 12, height: 12, fill: color, stroke: faint }),
    text(name, { x: x + 18, y }),
  ].join('\n');
}

function descriptionOf(points: readonly Point[], shown: (value: number) => string): string {
  return points
    .map(({ variant, x, median }) => `${lookOf(variant).name} at ${x}: ${shown(median)}`)
    .join('; ');
}
