import { type PlotFrame, scaleOf, type ValueScale, valueAxis, whisker, yIn } from './axis.ts';
import { drawing, element, ink, line, type Svg, text } from './svg.ts';
import { legendEntry, styleOf, type VariantSpread, variantsOf } from './variants.ts';

/** Bars in groups: for each variant its median, with a whisker from the minimum to the maximum. */
export type BarPlot = {
  readonly title: string;
  /** Below the plot. */
  readonly caption: string;
  readonly yLabel: string;
  readonly panels: readonly Panel[];
  readonly format: ValueScale['format'];
};

/** One row of groups; all panels have the same scale. */
export type Panel = { readonly title: string; readonly groups: readonly Group[] };
export type Group = { readonly name: string; readonly bars: readonly VariantSpread[] };

const width = 720;
const panelHeight = 270;
const headerHeight = 84;
const left = 64;
const right = 700;

/** The plot as an SVG file. */
export function barPlot({ title, caption, yLabel, panels, format }: BarPlot): Svg {
  const bars = panels.flatMap(({ groups }) => groups.flatMap((group) => group.bars));
  const scale = scaleOf(bars, format);
  const height = headerHeight + panels.length * panelHeight + 30;
  return drawing(
    { width, height, title, description: descriptionOf(panels, format) },
    text(title, { x: 20, y: 28, 'font-size': 16, 'font-weight': 'bold' }),
    ...variantsOf(bars).map((variant, i) =>
      legendEntry(variant, 20 + (i % 2) * 340, 52 + Math.floor(i / 2) * 20),
    ),
    ...panels.flatMap(({ title: panelTitle, groups }, i) => [
      ...valueAxis(frameOf(i), scale, `${yLabel}; ${panelTitle}`),
      ...barsOf(groups, frameOf(i), scale),
    ]),
    text(caption, { x: 20, y: height - 14, 'font-size': 12 }),
  );
}

function frameOf(index: number): PlotFrame {
  const top = headerHeight + index * panelHeight + 56;
  return { left, right, top, bottom: top + panelHeight - 90 };
}

function barsOf(groups: readonly Group[], frame: PlotFrame, scale: ValueScale): Svg[] {
  const groupWidth = (frame.right - frame.left) / groups.length;
  const groupFrame = (i: number): PlotFrame => ({
    ...frame,
    left: frame.left + i * groupWidth,
    right: frame.left + (i + 1) * groupWidth,
  });
  return [
    ...groups.flatMap((group, i) => groupOf(group, groupFrame(i), scale)),
    line(frame.left, frame.bottom, frame.right, frame.bottom, { stroke: ink }),
  ];
}

function groupOf({ name, bars }: Group, frame: PlotFrame, scale: ValueScale): Svg[] {
  const y = yIn(frame, scale);
  const barWidth = (frame.right - frame.left - 24) / bars.length;
  return [
    ...bars.flatMap(({ variant, median, min, max }, i) => {
      const x = frame.left + 12 + i * barWidth;
      const middle = x + barWidth / 2;
      return [
        element('rect', {
          x: x + 3,
          y: y(median),
          width: barWidth - 6,
          height: frame.bottom - y(median),
          fill: styleOf(variant).color,
        }),
        whisker({ x: middle, yOfMin: y(min), yOfMax: y(max), stroke: ink }),
        text(scale.format(median), { x: middle, y: y(max) - 5, 'text-anchor': 'middle', 'font-size': 11 }),
      ];
    }),
    text(name, { x: (frame.left + frame.right) / 2, y: frame.bottom + 20, 'text-anchor': 'middle' }),
  ];
}

function descriptionOf(panels: readonly Panel[], format: ValueScale['format']): string {
  const barTexts = ({ bars }: Group) =>
    bars.map(({ variant, median }) => `${styleOf(variant).name} ${format(median)}`).join(', ');
  return panels
    .flatMap(({ title, groups }) => groups.map((group) => `${title}, ${group.name}: ${barTexts(group)}`))
    .join('; ');
}
