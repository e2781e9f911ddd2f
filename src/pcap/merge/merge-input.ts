import type { PacketReader } from '../packet-reader.ts';

/** One of the captures that are merged. */
export type MergeInput = {
  readonly open: () => Promise<PacketReader>;
  /** The time of its first packet, if that is known: it is opened only when its turn comes. */
  readonly startsAt?: PacketTime;
};

export type PacketTime = { readonly seconds: number; readonly nanoseconds: number };

export type MergeOptions = {
  /** An input that has nothing for this long delays the others no more; Infinity for files. */
  readonly slowAfterMs: number;
  /** When there is nothing else left, inputs that have nothing for this long are given up; Infinity by default. */
  readonly silentAfterMs?: number;
  /** An input is slow, has caught up again, is given up, or could not be read to its end. */
  readonly onGap: (gap: Gap) => void;
  /** An input has no more packets, or could not be opened; its reader is closed afterwards. */
  readonly onEnd?: (input: number) => void;
};

/** `silent`: it is given up. `failed`: what follows of the input is missing, and why. */
export type Gap = { readonly input: number } & (
  | { readonly kind: 'slow' | 'resumed' | 'silent' }
  | { readonly kind: 'failed'; readonly error: unknown }
);
