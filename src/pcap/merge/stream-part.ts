/** What a TCP segment carries of its stream: one direction of a connection. */
export type StreamPart = {
  /** The same for all segments of the stream. */
  readonly stream: string;
  /** The sequence number of its first byte. */
  readonly sequence: number;
  /** How many bytes it has. The capture may have cut them. */
  readonly dataBytes: number;
  /** Whether a FIN follows the bytes, which takes a number too. */
  readonly hasFin: boolean;
  /** The captured bytes, in the buffer of the packet. */
  readonly captured: Uint8Array;
};

/** How many sequence numbers it takes. */
export function numbersOf({ dataBytes, hasFin }: StreamPart): number {
  return dataBytes + (hasFin ? 1 : 0);
}
