import type { Clock } from '../../../base/clock.ts';
import type { CaptureInterface } from '../../../pcap/capture-interface.ts';
import { SpanPackets } from '../../../pcap/join/span-packets.ts';
import { type MergeEnd, mergeCaptures } from '../../../pcap/merge/merge-captures.ts';
import type { CurrentPacket } from '../../../pcap/packet-reader.ts';
import { isInRange } from '../../../pcap/time-range.ts';
import { captureWriter } from '../../../pcap/write/capture-writer.ts';
import { type DescribedSource, recordingInterfaces } from '../../storage/recording-interfaces.ts';
import type { CaptureStream } from '../capture-stream.ts';
import {
  type DownloadEnd,
  type DownloadOptions,
  damagedFiles,
  findChosen,
  heldTooMuch,
  mostHeldFiles,
  unlessAborted,
} from '../download.ts';
import { countsAtEnd } from '../recording-counts.ts';
import type { RecordingRefusal, RecordingRequest } from '../recording-request.ts';
import { followGaps } from './follow-gaps.ts';
import { followRecords } from './follow-records.ts';
import { type FollowedRing, followRing, pollEveryMs } from './followed-ring.ts';
import type { GenerationTail } from './generation-tail.ts';

export type FollowStreamOptions = DownloadOptions & {
  /** That of the records. */
  readonly clock: Clock;
  /** What keeps the folder from being read for now. */
  readonly onError: (error: unknown) => void;
};

const nowMs = () => performance.now();

/** Sends what the ring holds and then what arrives, until the Pod has ended. Throws ReaderGone. */
export async function follow(
  request: RecordingRequest,
  options: FollowStreamOptions,
): Promise<DownloadEnd | RecordingRefusal> {
  const recording = await findChosen(request, options);
  if ('kind' in recording) return recording;
  const { onError } = options;
  const { folder } = recording;
  const mostFiles = Math.max(2, mostHeldFiles - options.held.files());
  const ringOptions = { folder, pollMs: pollEveryMs, mostFiles, nowMs, clock: options.clock, onError };
  await using ring = await followRing(ringOptions);
  // What the ring has deleted is not kept for a reader: only the file that is being read is, and it can be large.
  const dropping = new AbortController();
  using _held = options.held.hold(ring.files, () => dropping.abort());
  await using stream = options.open();
  await firstFile(ring, stream.signal);
  const gaps = followGaps();
  const interfaces: CaptureInterface[] = [];
  const spans = followRecords({
    ring,
    nowMs,
    signal: AbortSignal.any([stream.signal, dropping.signal]),
    onStart() {
      const described = recordingInterfaces(sourcesOf(ring.tails.slice(0, interfaces.length + 1)));
      const description = described.interfaces[interfaces.length];
      gaps.restarted(interfaces.length, described.droppedBefore(interfaces.length));
      if (description) interfaces.push(description);
    },
    onMissing: gaps.missing,
  });
  const headerOf = (source: number) => ring.tails[source]?.header;
  await using reader = new SpanPackets({ spans, interfaces, headerOf, damage: [] });
  const end = await send(request, { ring, reader, gaps, stream, dropped: dropping.signal });
  if (end.kind === 'heldTooMuch') await ring[Symbol.asyncDispose]();
  return await endStream(stream, end, { ring, packets: gaps.packets() });
}

/** A pcapng stream has no place for anything before its first interface is described. */
async function firstFile(ring: FollowedRing, signal: AbortSignal): Promise<void> {
  while (ring.tails.length === 0 && ring.state().kind === 'live') {
    await ring.changed(signal);
    signal.throwIfAborted();
  }
}

type Sending = {
  readonly ring: FollowedRing;
  readonly reader: SpanPackets;
  readonly gaps: ReturnType<typeof followGaps>;
  readonly stream: CaptureStream;
  /** Aborts when the reader keeps too much of the disk. */
  readonly dropped: AbortSignal;
};

type FollowEnd = MergeEnd | { readonly kind: 'heldTooMuch' };

async function send(
  { format, range }: RecordingRequest,
  { ring, reader, gaps, stream, dropped }: Sending,
): Promise<FollowEnd> {
  const keeps = (packet: CurrentPacket) => {
    if (!isInRange(range, packet)) return false;
    gaps.count(packet);
    return true;
  };
  const chunks = mergeCaptures({
    merged: { next: () => reader.next(), input: 0, reader },
    writer: captureWriter(format),
    interfaces: recordingInterfaces(sourcesOf(ring.tails)).interfaces,
    describe: (_, description) => description,
    keeps,
    breaksBefore: ({ interfaceIndex }) => gaps.isBefore(interfaceIndex),
    passBreak: ({ interfaceIndex }) => gaps.pass(interfaceIndex),
    droppedBefore: ({ interfaceIndex }) => gaps.takeDropped(interfaceIndex),
    known: (description) => recordingInterfaces(sourcesOf(ring.tails)).known(description),
  });
  try {
    for (;;) {
      const chunk = await chunks.next();
      if (chunk.done) gaps.passAll();
      for (const gap of gaps.takePassed()) await unlessAborted(stream.gap(gap), dropped);
      if (chunk.done) return chunk.value;
      await unlessAborted(stream.write(chunk.value), dropped);
      if (dropped.aborted) return { kind: 'heldTooMuch' };
    }
  } catch (error) {
    if (dropped.aborted && !stream.signal.aborted) return { kind: 'heldTooMuch' };
    throw error;
  }
}

/** A frame has a bound, and nobody reads more. */
const mostNotes = 100;

async function endStream(
  stream: CaptureStream,
  end: FollowEnd,
  { ring, packets }: { readonly ring: FollowedRing; readonly packets: number },
): Promise<DownloadEnd> {
  const notes = ring.notes().slice(0, mostNotes);
  const outcome = outcomeOf(end, ring);
  const counts = countsAtEnd(ring.tails.map(({ record }) => record));
  await stream.end({ ...outcome, packets, ...counts, ...(notes.length > 0 && { notes }) });
  return { kind: 'ended', reason: outcome.reason, packets };
}

function outcomeOf(end: FollowEnd, ring: FollowedRing) {
  if (end.kind === 'heldTooMuch') return heldTooMuch;
  if (end.kind === 'problem') return { reason: end.reason, message: end.message, isComplete: false };
  if (ring.notes().length > 0) return damagedFiles;
  return { reason: ring.state().kind === 'deleted' ? 'RecordingDeleted' : 'PodEnded', isComplete: true };
}

function sourcesOf(tails: readonly GenerationTail[]): DescribedSource[] {
  return tails.flatMap(({ header, record, interfaceName }) =>
    header ? { header, record, interfaceName } : [],
  );
}
