import { faint, line, type Svg, text } from './svg.ts';
import type { VariantSpread } from './variants.ts';

/** Where a plot's values lie on the drawing. */
export type PlotFrame = {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
};

/** The vertical axis of a plot. */
export type ValueScale = {
  readonly ticks: readonly number[];
  /** A value as text. */
  readonly format: (value: number) => string;
};

/** The scale on which all of these fit. */
export function scaleOf(spreads: readonly VariantSpread[], format: ValueScale['format']): ValueScale {
  return { ticks: ticksUpTo(Math.max(...spreads.map(({ max }) => max))), format };
}

/** From 0 to the first tick that is not below `max`, in at most 5 steps of 1, 2 or 5 times a power of ten. */
export function ticksUpTo(max: number): number[] {
  const rough = (max > 0 ? max : 1) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10);
  const count = Math.max(1, Math.ceil(max / step - 1e-9));
  return Array.from({ length: count + 1 }, (_, i) => i * step);
}

/** Returns a function from a value, between 0 and the last tick, to its y coordinate. */
export function yIn({ top, bottom }: PlotFrame, { ticks }: Pick<ValueScale, 'ticks'>) {
  const last = ticks.at(-1) ?? 1;
  return (value: number): number => bottom - (value / last) * (bottom - top);
}

/** The grid lines and their numbers, with a label above. */
export function valueAxis(frame: PlotFrame, scale: ValueScale, label: string): Svg[] {
  const y = yIn(frame, scale);
  const lines = scale.ticks.flatMap((value) => [
    line(frame.left, y(value), frame.right, y(value), { stroke: faint }),
    text(scale.format(value), { x: frame.left - 8, y: y(value) + 4, 'text-anchor': 'end' }),
  ]);
  return [...lines, text(label, { x: frame.left, y: frame.top - 14 })];
}

type Whisker = {
  readonly x: number;
  /** The y coordinates of the minimum and the maximum. */
  readonly yOfMin: number;
  readonly yOfMax: number;
  readonly stroke: string;
};

/** A vertical line from the minimum to the maximum. */
export function whisker({ x, yOfMin, yOfMax, stroke }: Whisker): Svg {
  const cap = (y: number) => line(x - 4, y, x + 4, y, { stroke });
  return [line(x, yOfMin, x, yOfMax, { stroke }), cap(yOfMin), cap(yOfMax)].join('\n');
}
