import { addressTexts } from './address-text.ts';
import type { Field } from './decoded-packet.ts';
import { field } from './fields.ts';
import { readPacket } from './link-layer.ts';
import { newWalk, type PacketBytes, startWalk, type Walk } from './walk.ts';

/**
 * Explains a packet byte by byte: a field for each layer, outermost first, with the fields of its header as children.
 * Of one packet alone, so that sequence numbers are absolute. Never throws, whatever the bytes are.
 */
export function packetTree(packet: PacketBytes, linkType: number): readonly Field[] {
  const layers: Field[] = [];
  const walk = newWalk({ addresses: addressTexts(1), connections: undefined });
  startWalk(walk, packet);
  const { start, end } = walk;
  walk.layers = layers;
  readPacket(walk, linkType);
  layers.push(...restFields(walk, end), ...uncapturedFields(walk, { start, end }, packet.originalBytes));
  return layers;
}

/** What no layer explained: data, and what is behind the end of the packet inside the frame. */
function restFields(walk: Walk, frameEnd: number): readonly Field[] {
  const packetEnd = walk.end;
  const explained = Math.max(...(walk.layers ?? []).map(({ to }) => to + walk.start), walk.start);
  const from = Math.min(explained, packetEnd);
  walk.end = frameEnd;
  const data = { name: 'Data', value: `${packetEnd - from} bytes`, from, to: packetEnd };
  const padding = {
    name: 'Padding',
    value: `${frameEnd - packetEnd} bytes`,
    from: packetEnd,
    to: frameEnd,
  };
  return [data, padding].filter(({ from: first, to }) => first < to).map((line) => field(walk, line));
}

type Captured = { readonly start: number; readonly end: number };

function uncapturedFields(walk: Walk, { start, end }: Captured, originalBytes: number): readonly Field[] {
  const missing = originalBytes - (end - start);
  if (missing <= 0) return [];
  return [field(walk, { name: 'Not captured', value: `${missing} bytes`, from: end, to: end })];
}
