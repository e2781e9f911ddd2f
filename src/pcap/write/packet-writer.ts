import type { CaptureInterface } from '../capture-interface.ts';
import type { CurrentPacket } from '../packet-reader.ts';

/**
 * Encodes a capture into memory: the caller takes the bytes whenever many are pending, and writes them. A packet costs
 * one copy and no allocation.
 */
export type PacketWriter = {
  /** The number of the interface, to pass with its packets: 0, 1, 2. */
  readonly addInterface: (description: CaptureInterface) => number | WriteProblem;
  /**
   * Adds a packet, with its times in the units of its interface. `droppedBefore`: how many packets are missing between
   * the previous one of the interface and this one. A packet with a problem is not written.
   */
  readonly writePacket: (
    packet: CurrentPacket,
    interfaceNumber: number,
    droppedBefore: number,
  ) => WriteProblem | undefined;
  /** Names of addresses, for those who want them: editcap 4.0 and mergecap 4.0 fail on such a file. pcap has none. */
  readonly writeNames: (names: readonly AddressName[]) => void;
  /** Adds what the interfaces counted, which also marks the capture as complete. pcap has no place for it. */
  readonly end: (statistics: readonly WrittenStatistics[]) => void;
  readonly pendingBytes: number;
  /** The pending bytes, which are no longer pending; valid until something is written after the next call. */
  readonly take: () => Uint8Array;
};

/** What the format has no place for. */
export type WriteProblem = {
  readonly reason: 'LinkTypesDiffer' | 'TimeOutOfRange' | 'ResolutionTooLate' | 'FrameChecksDiffer';
  readonly message: string;
};

/** The name of an IPv4 address (4 bytes) or an IPv6 address (16 bytes). */
export type AddressName = { readonly address: Uint8Array; readonly name: string };

/** Numbers of one interface; what is undefined is not known. */
export type WrittenStatistics = {
  readonly interfaceNumber: number;
  /** When its capture started and ended, in the units of its packets. */
  readonly start?: bigint | undefined;
  readonly end?: bigint | undefined;
  readonly received?: bigint | undefined;
  /** By the kernel. */
  readonly dropped?: bigint | undefined;
  /** By the operating system, besides those. */
  readonly droppedBySystem?: bigint | undefined;
  /** Delivered to the writer of the capture. */
  readonly delivered?: bigint | undefined;
  readonly comment?: string | undefined;
};

/** What is written as the most bytes of a packet, always: libpcap refuses a file whose interfaces differ in it. */
export const writtenSnaplen = 262_144;
