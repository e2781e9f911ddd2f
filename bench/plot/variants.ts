import { ink } from './svg.ts';

/** How a variant looks in each plot; the colours can be told apart by all eyes (Okabe and Ito). */
export type VariantStyle = { readonly name: string; readonly color: string };

const looks: Readonly<Record<string, VariantStyle>> = {
  podcap: { name: 'Podcap', color: '#0072b2' },
  'host-tcpdump': { name: 'tcpdump -i any host …, in the host’s network', color: '#d55e00' },
  'tcpdump-ring': { name: 'tcpdump with its own ring', color: '#8c8c8c' },
  dumpcap: { name: 'dumpcap with its own ring', color: '#cc79a7' },
};

export function lookOf(variant: string): VariantStyle {
  return looks[variant] ?? { name: variant, color: ink };
}
