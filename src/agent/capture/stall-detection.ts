/** The counters of a capture at one moment. */
export type CounterSample = {
  /** What the interface has counted; undefined if it could not be read. */
  readonly interfacePackets: number | undefined;
  readonly received: number;
  readonly captured: number;
  /** Changes whenever something is written into the files. */
  readonly written: string;
};

/**
 * Returns whether packets pass and are not stored, from two samples some seconds apart. The reason is unknown: known
 * ones end the capture (a full disk, for example: preload/dumper.c). With a filter, no packet may match. Pure.
 */
export function isStalled(before: CounterSample, now: CounterSample, hasFilter: boolean): boolean {
  const isNotReceived =
    !hasFilter &&
    before.interfacePackets !== undefined &&
    now.interfacePackets !== undefined &&
    now.interfacePackets - before.interfacePackets >= minPackets &&
    now.received === before.received;
  const isNotWritten = now.captured - before.captured >= minPackets && now.written === before.written;
  return isNotReceived || isNotWritten;
}

/** The counters are not read at the same moment: some packets may pass in between. */
const minPackets = 10;
