import type { CurrentPacket } from '../packet-reader.ts';
import type { DamageList, FoundDamage } from './damage-list.ts';
import type { InterfaceTable } from './interface-table.ts';
import type { ReadBuffer } from './read-buffer.ts';

/** Finds the packets of one input in the buffer. */
export type Walker = {
  /** Moves to the next packet, as far as the buffer has it. Allocates nothing for a packet. */
  readonly step: () => WalkerStep;
};

/** The buffer must have more (buffer.wanted says how much); the packet is described; or there are no more packets. */
export type WalkerStep = typeof needsMore | typeof foundPacket | typeof isOver;
export const needsMore = 0;
export const foundPacket = 1;
export const isOver = 2;

/** What a walker works on; shared by all inputs of a capture. */
export type WalkerParts = {
  readonly buffer: ReadBuffer;
  readonly table: InterfaceTable;
  readonly packet: CurrentPacket;
  readonly damages: DamageList;
  /** The path or name of the input. */
  readonly name: string;
};

/** Records damage that nothing can be read after. */
export function endWith({ damages, name }: WalkerParts, damage: FoundDamage): typeof isOver {
  damages.add(name, damage);
  return isOver;
}
