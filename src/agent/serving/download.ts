import type { MergeEnd } from '../../pcap/merge/merge-captures.ts';
import { choiceProblem, ringsOf } from '../storage/chosen-rings.ts';
import { type RecordingCapture, recordingCapture } from '../storage/recording-capture.ts';
import { openRecordingSnapshot } from '../storage/recording-snapshot.ts';
import { findRecording, type Recording } from '../storage/recordings.ts';
import type { Snapshot } from '../storage/snapshot.ts';
import type { CaptureStream } from './capture-stream.ts';
import type { HeldFiles } from './held-files.ts';
import { countsAtEnd } from './recording-counts.ts';
import { type RecordingRefusal, type RecordingRequest, refuseRecording } from './recording-request.ts';

/** What a download needs. */
export type DownloadOptions = {
  readonly capturesFolder: string;
  readonly held: HeldFiles;
  /** Sends the head of the answer. */
  readonly open: () => CaptureStream;
};

/** How a download ended, in a word for the log. */
export type DownloadEnd = { readonly kind: 'ended'; readonly reason: string; readonly packets: number };

/** More files than a ring can have would use up the agent's descriptors. */
export const mostHeldFiles = 20_000;

/** Sends what the recording has at this moment. Throws ReaderGone, and errors of read(2). */
export async function download(
  request: RecordingRequest,
  options: DownloadOptions,
): Promise<DownloadEnd | RecordingRefusal> {
  const recording = await findChosen(request, options);
  if ('kind' in recording) return recording;
  await using snapshot = await openRecordingSnapshot(recording, (current) => ringsOf(current, request));
  const files = snapshot.sources.flatMap((source) => source.files);
  if (files.length === 0) return noFiles;
  if (options.held.files() + files.length > mostHeldFiles) return tooManyFiles;
  const dropping = new AbortController();
  using _held = options.held.hold(
    () => files,
    () => dropping.abort(),
  );
  await using capture = await recordingCapture(snapshot.sources, request);
  // What the format has no place for is known before the first bytes, nearly always.
  const first = await capture.chunks.next();
  if (first.done && first.value.kind === 'problem')
    return refuseRecording(400, first.value.reason, first.value.message);
  await using stream = options.open();
  const end = await sendChunks(capture.chunks, { first, stream, signal: dropping.signal });
  return await endDownload(stream, end, { snapshot, capture });
}

/** The recording of that UID, of which what is asked for can be read. */
export async function findChosen(
  request: RecordingRequest,
  { capturesFolder }: Pick<DownloadOptions, 'capturesFolder'>,
): Promise<Recording | RecordingRefusal> {
  const recording = await findRecording(capturesFolder, request.uid);
  if (!recording)
    return refuseRecording(404, 'NotFound', `nothing is recorded of a Pod with UID ${request.uid}`);
  const problem = choiceProblem(recording, request);
  return problem === undefined ? recording : refuseRecording(409, 'FrozenRingUnavailable', problem);
}

const noFiles = refuseRecording(404, 'NoCaptureFile', 'there is no capture file yet');
const tooManyFiles = refuseRecording(
  429,
  'TooManyFilesOpen',
  'the readers on this Node hold as many files open as they may: try again when one of them has ended',
);

type Sending = {
  /** The result of the first request for a chunk. */
  readonly first: IteratorResult<Uint8Array, MergeEnd>;
  readonly stream: CaptureStream;
  /** Aborts when the reader keeps too much of the disk. */
  readonly signal: AbortSignal;
};

type SendingEnd = MergeEnd | { readonly kind: 'heldTooMuch' };

async function sendChunks(
  chunks: RecordingCapture['chunks'],
  { first, stream, signal }: Sending,
): Promise<SendingEnd> {
  for (let chunk = first; ; chunk = await chunks.next()) {
    if (chunk.done) return chunk.value;
    if (signal.aborted) return { kind: 'heldTooMuch' };
    await stream.write(chunk.value);
  }
}

async function endDownload(
  stream: CaptureStream,
  end: SendingEnd,
  { snapshot, capture }: { readonly snapshot: Snapshot; readonly capture: RecordingCapture },
): Promise<DownloadEnd> {
  const damage = capture.damage().map(({ message }) => message);
  const notes = [...snapshot.notes, ...damage].slice(0, mostNotes);
  const packets = capture.packets();
  const last = {
    ...outcomeOf(end, damage.length > 0),
    packets,
    ...countsAtEnd(snapshot.sources.map(({ record }) => record)),
    ...(notes.length > 0 && { notes }),
  };
  await stream.end(last);
  return { kind: 'ended', reason: last.reason, packets };
}

/** A frame has a bound, and nobody reads more. */
const mostNotes = 100;

function outcomeOf(end: SendingEnd, isDamaged: boolean) {
  switch (end.kind) {
    case 'problem':
      return { reason: end.reason, message: end.message, isComplete: false };
    case 'heldTooMuch':
      return { reason: 'HeldTooMuch', message: heldTooMuch, isComplete: false };
    case 'end':
      return isDamaged
        ? { reason: 'DamagedFiles', message: 'the rest of a damaged file is left out', isComplete: false }
        : { reason: 'Complete', isComplete: true };
  }
}

const heldTooMuch =
  'the ring deleted the files faster than they were read, and the disk cannot keep them: ask for a part, or read faster';
