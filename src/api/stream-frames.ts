/**
 * How captures/log and captures/attach answer Podcap's own clients: frames, so that a cut is never taken for an end.
 *
 *     type   1 byte    D data, H heartbeat, G gap, E end
 *     length 4 bytes   of the payload, big endian, at most maxFrameBytes
 *     payload          D: bytes of the capture file; H: empty; G and E: JSON (StreamGap, StreamEnd)
 *
 * A stream that stops without an E was cut. For `kubectl get --raw`, there is the capture file alone.
 */

/** With this in Accept, the answer is frames; otherwise the capture file as it is. */
export const framesMediaType = 'application/vnd.podcap.frames';
export const captureFileMediaType = 'application/vnd.tcpdump.pcap';

export type StreamFrame =
  | { readonly kind: 'data'; readonly bytes: Uint8Array }
  /** Nothing was sent for a while, and the stream is alive. */
  | { readonly kind: 'heartbeat' }
  | { readonly kind: 'gap'; readonly gap: StreamGap }
  | { readonly kind: 'end'; readonly end: StreamEnd };

/** Why packets are not in a stream. */
export const streamGapReasons = [
  'ReaderTooSlow',
  'Pruned',
  'Dropped',
  'CaptureRestarted',
  'DamagedFiles',
  /** Never sent: what a reader takes a reason for that is not one of these. */
  'Unknown',
] as const;

/** Packets that are not in the stream, between the data before it and the data after it. */
export type StreamGap = {
  readonly reason: (typeof streamGapReasons)[number];
  /** Undefined: unknown how many. */
  readonly packets?: number;
  readonly bytes?: number;
};

/** The last frame. */
export type StreamEnd = {
  /** One word: Complete, DurationReached, CountReached, PodEnded, CaptureEnded ... and a failure's reason. */
  readonly reason: string;
  readonly message?: string;
  /** Whether all that was asked for was sent. */
  readonly isComplete: boolean;
  /** Of the data frames. */
  readonly bytes: number;
  readonly packets: number;
  /** In hexadecimal, of the bytes of all data frames. */
  readonly sha256: string;
  /** What the ring or the tap is known to lack; what is unknown is left out. */
  readonly dropped?: number;
  readonly lostAtStop?: number;
  readonly missed?: number;
  readonly unseen?: number;
  readonly pruned?: number;
  /** In words: damaged files, files that were not read. */
  readonly notes?: readonly string[];
};

export const maxFrameBytes = 1024 * 1024;
export const frameHeaderBytes = 5;

const typeOf = { data: 0x44, heartbeat: 0x48, gap: 0x47, end: 0x45 } as const;

/** The header of a data frame, to be followed by that many bytes: so the data is not copied. */
export function dataFrameHeader(bytes: number): Uint8Array {
  return header(typeOf.data, bytes);
}

/** The bytes of any other frame. */
export function controlFrame(frame: Exclude<StreamFrame, { readonly kind: 'data' }>): Uint8Array {
  const json = frame.kind === 'gap' ? frame.gap : frame.kind === 'end' ? frame.end : undefined;
  const payload = Buffer.from(json === undefined ? '' : JSON.stringify(json));
  return Buffer.concat([header(typeOf[frame.kind], payload.length), payload]);
}

function header(type: number, bytes: number): Uint8Array {
  const result = Buffer.alloc(frameHeaderBytes);
  result.writeUInt8(type, 0);
  result.writeUInt32BE(bytes, 1);
  return result;
}
