import { element, faint, ink, type Svg, text } from './svg.ts';

/** What a plot shows of one variant. */
export type VariantSpread = {
  readonly variant: string;
  readonly median: number;
  readonly min: number;
  readonly max: number;
};

/** How every plot draws a variant. The colors are Okabe and Ito's, which color-blind people can tell apart. */
export type VariantStyle = { readonly name: string; readonly color: string };

const styles: Readonly<Record<string, VariantStyle>> = {
  podcap: { name: 'Podcap', color: '#0072b2' },
  'host-tcpdump': { name: 'host-tcpdump (-i any, host’s network)', color: '#d55e00' },
  'tcpdump-ring': { name: 'tcpdump-ring (Pod’s network)', color: '#8c8c8c' },
  dumpcap: { name: 'dumpcap (Pod’s network)', color: '#cc79a7' },
  mergecap: { name: 'mergecap', color: '#d55e00' },
  tcpslice: { name: 'tcpslice', color: '#8c8c8c' },
};

/** The variants, in the order in which they first appear. */
export function variantsOf(spreads: readonly VariantSpread[]): string[] {
  return [...new Set(spreads.map(({ variant }) => variant))];
}

/** The style of that variant; of an unknown one, its name in black. */
export function styleOf(variant: string): VariantStyle {
  return styles[variant] ?? { name: variant, color: ink };
}

/** A legend's entry for that variant: a square of its color, and its name. */
export function legendEntry(variant: string, x: number, y: number): Svg {
  const { name, color } = styleOf(variant);
  return [
    element('rect', { x, y: y - 10, width: 12, height: 12, fill: color, stroke: faint }),
    text(name, { x: x + 18, y }),
  ].join('\n');
}
