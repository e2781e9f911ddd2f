/**
 * What a peer sends beside the bytes that it was asked for: heads and frames of HTTP/2, each of which costs time and is
 * subject to no window. Pings, settings, window updates or data of one byte, as fast as the network takes them, would
 * otherwise keep a core busy.
 */
export type UnaskedBytes = {
  /** Whether it is too much, when so many bytes have come since the last look, so many of them as asked for. */
  readonly isTooMuch: (came: { readonly receivedBytes: number; readonly askedBytes: number }) => boolean;
};

/** More than whoever keeps to the protocol sends: heads and lines of a busy Node take a tenth of it. */
const freeBytesPerSecond = 256 * 1024;

/**
 * Nothing has come yet. `mostBytes`: how much may be ahead, which includes what was asked for and not been read so far.
 * Data counts twice, because small frames have as much around them as in them.
 */
export function unaskedBytes(mostBytes: number, nowMs: () => number = () => performance.now()): UnaskedBytes {
  let aheadBytes = 0;
  let lookedMs = nowMs();
  return {
    isTooMuch({ receivedBytes, askedBytes }) {
      const seconds = (nowMs() - lookedMs) / 1_000;
      lookedMs = nowMs();
      const cameAhead = receivedBytes - 2 * askedBytes - seconds * freeBytesPerSecond;
      aheadBytes = Math.max(0, aheadBytes + cameAhead);
      return aheadBytes > mostBytes;
    },
  };
}
