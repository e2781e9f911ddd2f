import { faint, line, type Svg, text } from './svg.ts';

/** Where a plot's values lie on the drawing. */
export type PlotFrame = {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
};

/** From 0 up to the first one that is not below `most`: 4 to 10 steps of 1, 2 or 5 and zeros. */
export function ticks(most: number): number[] {
  const rough = (most > 0 ? most : 1) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10);
  const count = Math.max(1, Math.ceil(most / step - 1e-9));
  return Array.from({ length: count + 1 }, (_, i) => i * step);
}

/** The height on the drawing of a value between 0 and the last tick. */
export function heightIn({ top, bottom }: PlotFrame, scale: readonly number[]): (value: number) => number {
  const last = scale.at(-1) ?? 1;
  return (value) => bottom - (value / last) * (bottom - top);
}

/** The lines across and their numbers, with the unit above. */
export function valueAxis(
  frame: PlotFrame,
  scale: readonly number[],
  label: string,
  shown: (value: number) => string,
): Svg[] {
  const y = heightIn(frame, scale);
  const lines = scale.flatMap((value) => [
    line(frame.left, y(value), frame.right, y(value), { stroke: faint }),
    text(shown(value), { x: frame.left - 8, y: y(value) + 4, 'text-anchor': 'end' }),
  ]);
  return [...lines, text(label, { x: frame.left, y: frame.top - 14 })];
}

/** From the least to the most that was measured, through the median. */
export function whisker(
  x: number,
  y: (value: number) => number,
  min: number,
  max: number,
  stroke: string,
): Svg {
  const [low, high] = [y(min), y(max)];
  const cap = (at: number) => line(x - 4, at, x + 4, at, { stroke });
  return [line(x, low, x, high, { stroke }), cap(low), cap(high)].join('\n');
}
