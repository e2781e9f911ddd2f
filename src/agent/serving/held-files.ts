import type { PcapFile } from '../../pcap/pcap-file.ts';

/** The capture files that readers hold open, which keep their place on the disk when the ring deletes them. */
export type HeldFiles = {
  /**
   * Counts these files from now on, until it is disposed of. `drop` is called once if they keep too much of the disk: they
   * have to be closed then, whether or not the reader takes anything.
   */
  readonly hold: (files: () => readonly PcapFile[], drop: () => void) => Disposable;
  readonly files: () => number;
  /**
   * Measures the bytes of held files that have been deleted. While they are more than may be, drops the reader who keeps
   * the most of them.
   */
  readonly measure: () => Promise<number>;
};

/** `mostBytes`: how many bytes of deleted files readers may keep together. */
export function heldFiles({ mostBytes }: { readonly mostBytes: number }): HeldFiles {
  const holders = new Set<Holder>();

  async function measure(): Promise<number> {
    const measured = await Promise.all(
      [...holders].map(async (holder) => ({ holder, bytes: await deletedBytes(holder) })),
    );
    const sum = measured.reduce((before, { bytes }) => before + bytes, 0);
    const droppable = measured.filter(({ holder }) => !holder.isDropped);
    const [largest] = droppable.toSorted((a, b) => b.bytes - a.bytes);
    if (sum > mostBytes && largest) {
      largest.holder.isDropped = true;
      largest.holder.drop();
    }
    return sum;
  }

  return {
    hold(files, drop) {
      const holder = { files, drop, isDropped: false };
      holders.add(holder);
      return { [Symbol.dispose]: () => void holders.delete(holder) };
    },
    files: () => [...holders].reduce((sum, { files }) => sum + files().length, 0),
    measure,
  };
}

type Holder = { readonly files: () => readonly PcapFile[]; readonly drop: () => void; isDropped: boolean };

async function deletedBytes({ files }: Holder): Promise<number> {
  let sum = 0;
  for (const file of files()) sum += await file.deletedBytes();
  return sum;
}
