import { heightIn, type PlotFrame, ticks, valueAxis, whisker } from './axis.ts';
import { legend } from './line-plot.ts';
import { drawing, element, ink, line, type Svg, text } from './svg.ts';
import { lookOf } from './variants.ts';

/** Values in groups: a bar for each variant as high as its median, with the least and the most. */
export type BarPlot = {
  readonly title: string;
  readonly below: string;
  readonly yLabel: string;
  readonly panels: readonly Panel[];
  readonly shown: (value: number) => string;
};

/** One row of groups; all panels have one scale. */
export type Panel = { readonly title: string; readonly groups: readonly Group[] };
export type Group = { readonly name: string; readonly bars: readonly Bar[] };
export type Bar = {
  readonly variant: string;
  readonly median: number;
  readonly min: number;
  readonly max: number;
};

const width = 720;
const panelHeight = 270;
const above = 84;
const left = 64;
const right = 700;

export function barPlot({ title, below, yLabel, panels, shown }: BarPlot): Svg {
  const bars = panels.flatMap(({ groups }) => groups.flatMap((group) => group.bars));
  const scale = ticks(Math.max(...bars.map(({ max }) => max)));
  const variants = [...new Set(bars.map(({ variant }) => variant))];
  const height = above + panels.length * panelHeight + 30;
  return drawing(
    { width, height, title, description: descriptionOf(panels, shown) },
    text(title, { x: 20, y: 28, 'font-size': 16, 'font-weight': 'bold' }),
    ...variants.map((variant, i) => legend(variant, 20 + (i % 2) * 340, 52 + Math.floor(i / 2) * 20)),
    ...panels.flatMap((panel, i) => panelOf(panel, frameOf(i), scale, yLabel, shown)),
    text(below, { x: 20, y: height - 14, 'font-size': 12 }),
  );
}

function frameOf(index: number): PlotFrame {
  const top = above + index * panelHeight + 56;
  return { left, right, top, bottom: top + panelHeight - 90 };
}

function panelOf(
  { title, groups }: Panel,
  frame: PlotFrame,
  scale: readonly number[],
  yLabel: string,
  shown: (value: number) => string,
): Svg[] {
  const groupWidth = (frame.right - frame.left) / groups.length;
  return [
    ...valueAxis(frame, scale, `${yLabel}; ${title}`, shown),
    ...groups.flatMap((group, i) =>
      groupOf(
        group,
        { ...frame, left: frame.left + i * groupWidth, right: frame.left + (i + 1) * groupWidth },
        scale,
        shown,
      ),
    ),
    line(frame.left, frame.bottom, frame.right, frame.bottom, { stroke: ink }),
  ];
}

function groupOf(
  { name, bars }: Group,
  frame: PlotFrame,
  scale: readonly number[],
  shown: (value: number) => string,
): Svg[] {
  const y = heightIn(frame, scale);
  const barWidth = (frame.right - frame.left - 24) / bars.length;
  return [
    ...bars.flatMap(({ variant, median, min, max }, i) => {
      const x = frame.left + 12 + i * barWidth;
      const { color } = lookOf(variant);
      return [
        element('rect', {
          x: x + 3,
          y: y(median),
          width: barWidth - 6,
          height: frame.bottom - y(median),
          fill: color,
        }),
        whisker(x + barWidth / 2, y, min, max, ink),
        text(shown(median), { x: x + barWidth / 2, y: y(max) - 5, 'text-anchor': 'middle', 'font-size': 11 }),
      ];
    }),
    text(name, { x: (frame.left + frame.right) / 2, y: frame.bottom + 20, 'text-anchor': 'middle' }),
  ];
}

function descriptionOf(panels: readonly Panel[], shown: (value: number) => string): string {
  return panels
    .flatMap(({ title, groups }) =>
      groups.map(
        ({ name, bars }) =>
          `${title}, ${name}: ${bars.map(({ variant, median }) => `${lookOf(variant).name} ${shown(median)}`).join(', ')}`,
      ),
    )
    .join('; ');
}
