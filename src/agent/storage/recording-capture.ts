import { joinedPackets } from '../../pcap/join/join.ts';
import { findOverlap } from '../../pcap/join/overlap.ts';
import { type MergeEnd, mergeCaptures } from '../../pcap/merge/merge-captures.ts';
import type { CurrentPacket, Damage } from '../../pcap/packet-reader.ts';
import { isInRange, type TimeRange } from '../../pcap/time-range.ts';
import { type CaptureFormat, captureWriter } from '../../pcap/write/capture-writer.ts';
import { recordingInterfaces } from './recording-interfaces.ts';
import type { GenerationSource } from './snapshot.ts';

/** The packets of a snapshot as one capture file. */
export type RecordingCapture = AsyncDisposable & {
  /** Each chunk is valid until the one after the next is requested. */
  readonly chunks: AsyncGenerator<Uint8Array, MergeEnd>;
  /** How many packets the chunks have so far. */
  readonly packets: () => number;
  /** What could not be read; complete after the last chunk. */
  readonly damage: () => readonly Damage[];
};

/**
 * Each packet once, in order, and only those in the range. Closes each file of the sources once it has been read; the
 * caller closes the rest. Throws errors of read(2), and the signal's reason, also where nothing is in the range.
 */
export async function recordingCapture(
  sources: readonly GenerationSource[],
  {
    format,
    range,
    signal,
  }: { readonly format: CaptureFormat; readonly range: TimeRange; readonly signal?: AbortSignal },
): Promise<RecordingCapture> {
  const overlap = await findOverlap(sources, signal);
  const { interfaces, known, droppedBefore } = recordingInterfaces(sources);
  const joined = joinedPackets({ sources, overlap, interfaces, closesFiles: true, signal });
  let packets = 0;
  const keeps = (packet: CurrentPacket) => {
    if (!isInRange(range, packet)) return false;
    packets += 1;
    return true;
  };
  const chunks = mergeCaptures({
    merged: { next: () => joined.next(), input: 0, reader: joined },
    writer: captureWriter(format),
    interfaces,
    describe: (_, description) => description,
    keeps,
    droppedBefore: firstOfEach(sources, droppedBefore),
    known,
  });
  return {
    chunks,
    packets: () => packets,
    damage: () => joined.damage,
    [Symbol.asyncDispose]: () => joined[Symbol.asyncDispose](),
  };
}

/**
 * For the first packet of each source: how many are missing since the packet before it of the same interface, also where
 * sources between the two have no packets. 0 for the first packet of an interface.
 */
function firstOfEach(
  sources: readonly Pick<GenerationSource, 'interfaceName'>[],
  droppedBefore: (source: number) => number,
): (packet: CurrentPacket) => number {
  /** The newest source of each interface that has had a packet. */
  const newest = new Map<string, number>();
  return ({ interfaceIndex: source }) => {
    const name = sources[source]?.interfaceName ?? '';
    const before = newest.get(name);
    if (before !== undefined && source <= before) return 0;
    newest.set(name, source);
    let dropped = 0;
    for (let next = (before ?? source) + 1; next <= source; next += 1)
      if (sources[next]?.interfaceName === name) dropped += droppedBefore(next);
    return dropped;
  };
}
