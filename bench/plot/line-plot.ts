import { type PlotFrame, scaleOf, type ValueScale, valueAxis, whisker, yIn } from './axis.ts';
import { drawing, element, ink, line, type Svg, text } from './svg.ts';
import { legendEntry, styleOf, type VariantSpread, variantsOf } from './variants.ts';

/** A line for each variant through its medians, with whiskers from the minimum to the maximum. */
export type LinePlot = {
  readonly title: string;
  /** Below the plot. */
  readonly caption: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly points: readonly Point[];
  readonly format: ValueScale['format'];
};

export type Point = VariantSpread & { readonly x: number };

const width = 720;
const height = 414;
const frame: PlotFrame = { left: 76, right: 690, top: 108, bottom: 330 };

/** The plot as an SVG file. */
export function linePlot({ title, caption, xLabel, yLabel, points, format }: LinePlot): Svg {
  const scale = scaleOf(points, format);
  const variants = variantsOf(points);
  return drawing(
    { width, height, title, description: descriptionOf(points, format) },
    text(title, { x: 20, y: 28, 'font-size': 16, 'font-weight': 'bold' }),
    ...variants.map((variant, i) => legendEntry(variant, 20 + i * 130, 54)),
    ...valueAxis(frame, scale, yLabel),
    ...xAxis(points, xLabel),
    ...variants.flatMap((variant) =>
      series(
        variant,
        points.filter((point) => point.variant === variant),
        yIn(frame, scale),
      ),
    ),
    text(caption, { x: 20, y: height - 14, 'font-size': 12 }),
  );
}

function series(variant: string, points: readonly Point[], y: (value: number) => number): Svg[] {
  const { color } = styleOf(variant);
  const x = xOf(points);
  const path = points.map((point) => `${x(point.x).toFixed(1)},${y(point.median).toFixed(1)}`).join(' ');
  return [
    element('polyline', { points: path, fill: 'none', stroke: color, 'stroke-width': 2 }),
    ...points.flatMap((point) => [
      whisker({ x: x(point.x), yOfMin: y(point.min), yOfMax: y(point.max), stroke: color }),
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
      // The labels 0 and 1 would overlap.
      value === 1 ? '' : text(String(value), { x: x(value), y: bottom + 20, 'text-anchor': 'middle' }),
    ]),
    text(label, { x: (left + right) / 2, y: bottom + 40, 'text-anchor': 'middle' }),
  ].filter((part) => part !== '');
}

function xOf(points: readonly Point[]): (value: number) => number {
  const max = Math.max(...points.map(({ x }) => x));
  return (value) => frame.left + 12 + (value / max) * (frame.right - frame.left - 24);
}

function descriptionOf(points: readonly Point[], format: ValueScale['format']): string {
  return points
    .map(({ variant, x, median }) => `${styleOf(variant).name} at ${x}: ${format(median)}`)
    .join('; ');
}
