import type { CaptureInterface } from './capture-interface.ts';

/**
 * Walks the packets of one capture, a file or a stream, in their order. It has one buffer and allocates nothing per
 * packet: everything about the current packet is valid until the next call of `next`.
 */
export type PacketReader = AsyncDisposable & {
  /** Moves to the next packet: false at the end. A promise only if more must be read first. */
  readonly next: () => boolean | Promise<boolean>;
  /** The interfaces described so far. pcapng can describe more later; those that are here stay as they are. */
  readonly interfaces: readonly CaptureInterface[];
  /** Complete only after `next` has returned false. */
  readonly damage: readonly Damage[];
  readonly packet: CurrentPacket;
};

/** The packet that a reader is at. Numbers and one buffer, so that reading a packet costs no allocation. */
export type CurrentPacket = {
  /** The index of its interface in `interfaces`. */
  interfaceIndex: number;
  /** The timestamp in the units of its interface: the upper and the lower 32 bits. */
  timeHigh: number;
  timeLow: number;
  /**
   * The same time since 1970, to compare packets: whole seconds, and the rest in nanoseconds, rounded down. If it has no
   * time (a simple packet block), it is the time 0 of its interface.
   */
  seconds: number;
  nanoseconds: number;
  /** The length on the wire. */
  originalBytes: number;
  /** The captured part is `capturedBytes` of `buffer` from `dataAt` on. */
  capturedBytes: number;
  dataAt: number;
  buffer: Uint8Array;
  /** Of the same bytes as `buffer`: the fastest way to copy a short packet. */
  view: DataView;
  /** The options of its pcapng block as they are: `optionsBytes` of `buffer` from `optionsAt` on; 0 bytes: none. */
  optionsAt: number;
  optionsBytes: number;
  optionsAreLittleEndian: boolean;
};

/** A packet without bytes, for a reader to fill in. */
export function emptyPacket(): CurrentPacket {
  const buffer = new Uint8Array(0);
  return {
    interfaceIndex: 0,
    timeHigh: 0,
    timeLow: 0,
    seconds: 0,
    nanoseconds: 0,
    originalBytes: 0,
    capturedBytes: 0,
    dataAt: 0,
    buffer,
    view: new DataView(buffer.buffer),
    optionsAt: 0,
    optionsBytes: 0,
    optionsAreLittleEndian: true,
  };
}

/** What the writer of a capture counted on an interface (interface statistics blocks); undefined if it did not say. */
export type ReceivedPackets = {
  readonly received: number | undefined;
  /** By the interface: isb_ifdrop. */
  readonly dropped: number | undefined;
  /** By the operating system: isb_osdrop. */
  readonly droppedBySystem?: number | undefined;
  /** The last one that is not too long. */
  readonly comment?: string | undefined;
};

/** What a reader could not read. The packets before it were read, and in pcapng those after it as well, if `resumedAt`. */
export type Damage = {
  /** With the path or name of the capture, the offset, and what is wrong there. */
  readonly message: string;
  /**
   * `cut`: the capture ends inside a packet or block: it is still written, or its writer was killed. `unmarked`: it lacks
   * what its writer puts at the end; it may have been cut there.
   */
  readonly kind: 'cut' | 'corrupt' | 'unmarked';
  /** Bytes from the start of the capture. */
  readonly offset: number;
  /** Where the next whole block was found. */
  readonly resumedAt: number | undefined;
};

/** Whether packets are missing because of it, as far as is known. */
export function isLoss({ kind }: Damage): boolean {
  return kind !== 'unmarked';
}
