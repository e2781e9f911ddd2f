/** Block types, option codes and fixed lengths of draft-ietf-opsawg-pcapng. */
export const sectionHeaderBlock = 0x0a0d0d0a;
export const interfaceBlock = 1;
/** The Packet Block, obsolete: some old files have it. */
export const oldPacketBlock = 2;
export const simplePacketBlock = 3;
export const nameResolutionBlock = 4;
export const statisticsBlock = 5;
export const enhancedPacketBlock = 6;

export const byteOrderMagic = 0x1a2b3c4d;

/** Type, length, and the length again at the end. */
export const emptyBlockBytes = 12;

/** The least bytes of the blocks that are read, but section headers. */
export const minBlockBytes: ReadonlyMap<number, number> = new Map([
  [interfaceBlock, 20],
  [oldPacketBlock, 32],
  [simplePacketBlock, 16],
  [statisticsBlock, 24],
  [enhancedPacketBlock, 32],
]);

export const endOfOptions = 0;
export const commentOption = 1;

export const sectionOption = { userApplication: 4 } as const;

export const interfaceOption = {
  name: 2,
  description: 3,
  ipv4Address: 4,
  ipv6Address: 5,
  timeResolution: 9,
  filter: 11,
  frameCheckLength: 13,
  timeOffset: 14,
} as const;

export const packetOption = { flags: 2, dropCount: 4 } as const;

export const statisticsOption = {
  startTime: 2,
  endTime: 3,
  received: 4,
  droppedByInterface: 5,
  droppedBySystem: 7,
  delivered: 8,
} as const;

export const nameRecord = { end: 0, ipv4: 1, ipv6: 2 } as const;

/** Blocks and options are padded to a multiple of 4 bytes. */
export function padded(bytes: number): number {
  return (bytes + 3) & ~3;
}

/** An option: its value is `valueBytes` from `valueAt` on. */
export type BlockOption = { readonly code: number; readonly valueAt: number; readonly valueBytes: number };

/** Where options are, and in which byte order. */
export type OptionRange = { readonly from: number; readonly to: number; readonly littleEndian: boolean };

/** The options of a block, up to the first that does not fit; `isWhole` says whether all did. */
export function readOptions(
  view: DataView,
  { from, to, littleEndian }: OptionRange,
): { readonly options: readonly BlockOption[]; readonly isWhole: boolean } {
  const options: BlockOption[] = [];
  let at = from;
  while (at + 4 <= to) {
    const code = view.getUint16(at, littleEndian);
    const valueBytes = view.getUint16(at + 2, littleEndian);
    if (code === endOfOptions) return { options, isWhole: true };
    if (at + 4 + valueBytes > to) return { options, isWhole: false };
    options.push({ code, valueAt: at + 4, valueBytes });
    at += 4 + padded(valueBytes);
  }
  return { options, isWhole: at >= to };
}
