/** What was seen of a capture at one moment. */
export type CounterSample = {
  /** What the interface had interfacePackets; undefined when it could not be read. */
  readonly interfacePackets: number | undefined;
  readonly received: number;
  readonly captured: number;
  /** Changes when something is written into the files. */
  readonly written: string;
};

/**
 * Whether packets go by and are not kept, from two looks some seconds apart: nobody knows why, or it would have been
 * told (a full disk is: preload/dumper.c). With a filter a silent capture may be what was asked for.
 */
export function isStalled(before: CounterSample, now: CounterSample, hasFilter: boolean): boolean {
  const passesBy =
    !hasFilter &&
    before.interfacePackets !== undefined &&
    now.interfacePackets !== undefined &&
    now.interfacePackets - before.interfacePackets >= atLeast &&
    now.received === before.received;
  const isNotWritten = now.captured - before.captured >= atLeast && now.written === before.written;
  return passesBy || isNotWritten;
}

/** Some packets can lie between two counters that are not read at the same moment. */
const atLeast = 10;
