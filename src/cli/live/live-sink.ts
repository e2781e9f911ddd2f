import type { Writing } from '../../commands/capture-output.ts';
import type { LostAtEnd } from './arriving-packets.ts';
import type { LivePacket } from './live-packet.ts';

/** Where live packets go: lines for people, or a capture for programs. */
export type LiveSink = AsyncDisposable & {
  /** Throws CommandFailure if it has no place for the packet. */
  readonly add: (packet: LivePacket) => void;
  /** Packets that are missing after the last one of their interface. */
  readonly lost: (lost: LostAtEnd) => void;
  /** The tap of the Pod has ended, and all its packets were added. */
  readonly forget: (pod: string) => void;
  /** What is to be written: what was added, or the header of a capture. */
  readonly pendingBytes: () => number;
  readonly flush: () => Promise<Writing>;
  /** After the last packet, also if a write has failed: what was written stays. */
  readonly end: () => Promise<Writing>;
};
