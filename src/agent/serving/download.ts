import { setTimeout as sleep } from 'node:timers/promises';
import { onAbort } from '../../base/on-abort.ts';
import { absentReasons } from '../../link/protocol.ts';
import type { MergeEnd } from '../../pcap/merge/merge-captures.ts';
import { type ChoiceProblem, choiceProblem, ringsOf } from '../storage/chosen-rings.ts';
import { type RecordingCapture, recordingCapture } from '../storage/recording-capture.ts';
import { openRecordingSnapshot } from '../storage/recording-snapshot.ts';
import { findRecording, type Recording } from '../storage/recordings.ts';
import type { GenerationSource, Snapshot } from '../storage/snapshot.ts';
import { type CaptureStream, ReaderGone } from './capture-stream.ts';
import type { HeldFiles } from './held-files.ts';
import { withoutFolder } from './note-text.ts';
import { countsAtEnd } from './recording-counts.ts';
import { type RecordingRefusal, type RecordingRequest, refuseRecording } from './recording-request.ts';

/** What a download needs. */
export type DownloadOptions = {
  readonly capturesFolder: string;
  readonly held: HeldFiles;
  /** Sends the head of the answer. */
  readonly open: () => CaptureStream;
  /** Aborts when the reader goes away. */
  readonly signal: AbortSignal;
  readonly headWithinMs?: number;
};

/** The hub waits for a head no longer than 20 s, and a range may begin after gigabytes. */
const defaultHeadWithinMs = 2_000;

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
  const signal = AbortSignal.any([options.signal, dropping.signal]);
  await using reading = readCapture(snapshot.sources, { ...request, signal });
  try {
    // What the format has no place for is known before the first bytes, nearly always.
    const first = await unlessLater(reading.first, options.headWithinMs ?? defaultHeadWithinMs);
    if (first?.done && first.value.kind === 'problem')
      return refuseRecording(400, first.value.reason, first.value.message);
    await using stream = options.open();
    const end = await sendChunks(reading, { stream, dropped: dropping.signal });
    if (end.kind === 'heldTooMuch') await Promise.all(files.map((file) => file[Symbol.asyncDispose]()));
    return await endDownload(stream, end, {
      folder: recording.folder,
      snapshot,
      capture: await reading.capture.catch(() => undefined),
    });
  } catch (error) {
    throw options.signal.aborted ? new ReaderGone('Closed') : error;
  }
}

/** The capture that is read, from the first chunk on; the first two may take long. */
type ReadCapture = AsyncDisposable & {
  readonly capture: Promise<RecordingCapture>;
  readonly first: Promise<IteratorResult<Uint8Array, MergeEnd>>;
};

function readCapture(
  sources: readonly GenerationSource[],
  options: Parameters<typeof recordingCapture>[1],
): ReadCapture {
  const capture = recordingCapture(sources, options);
  const first = capture.then(({ chunks }) => chunks.next());
  // It is awaited later.
  first.catch(() => {});
  return {
    capture,
    first,
    async [Symbol.asyncDispose]() {
      const opened = await capture.catch(() => undefined);
      await opened?.[Symbol.asyncDispose]();
    },
  };
}

/** Undefined if it takes longer. */
async function unlessLater<T>(result: Promise<T>, withinMs: number): Promise<T | undefined> {
  const over = new AbortController();
  const later = sleep(withinMs, undefined, { signal: over.signal }).catch(() => undefined);
  try {
    return await Promise.race([result, later]);
  } finally {
    over.abort();
  }
}

/** The recording of that UID, of which what is asked for can be read. */
export async function findChosen(
  request: RecordingRequest,
  { capturesFolder }: Pick<DownloadOptions, 'capturesFolder'>,
): Promise<Recording | RecordingRefusal> {
  const recording = await findRecording(capturesFolder, request.uid);
  if (!recording)
    return refuseRecording(
      404,
      absentReasons.recording,
      `nothing is recorded of a Pod with UID ${request.uid}`,
    );
  const problem = choiceProblem(recording, request);
  return problem ? refusedChoice(problem) : recording;
}

function refusedChoice({ reason, message }: ChoiceProblem): RecordingRefusal {
  switch (reason) {
    case 'NotFound':
      return refuseRecording(404, 'NoFrozenRing', message);
    case 'BeingFrozen':
      return refuseRecording(409, reason, message);
  }
}

const noFiles = refuseRecording(404, 'NoCaptureFile', 'there is no capture file yet');
const tooManyFiles = refuseRecording(
  429,
  'TooManyFilesOpen',
  'the readers on this Node hold as many files open as they may: try again when one of them has ended',
);

type Sending = {
  readonly stream: CaptureStream;
  /** Aborts when the reader keeps too much of the disk. */
  readonly dropped: AbortSignal;
};

type SendingEnd = MergeEnd | { readonly kind: 'heldTooMuch' };

async function sendChunks(
  { capture, first }: ReadCapture,
  { stream, dropped }: Sending,
): Promise<SendingEnd> {
  try {
    const { chunks } = await capture;
    for (let chunk = await first; ; chunk = await chunks.next()) {
      if (chunk.done) return chunk.value;
      await unlessAborted(stream.write(chunk.value), dropped);
      if (dropped.aborted) return { kind: 'heldTooMuch' };
    }
  } catch (error) {
    if (dropped.aborted && !stream.signal.aborted) return { kind: 'heldTooMuch' };
    throw error;
  }
}

/** Resolves when that has, or at the signal: a reader that takes nothing must not keep what has to be let go. */
export async function unlessAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  using _aborting = onAbort(signal, resolve);
  await Promise.race([work, promise]);
}

type Sent = {
  /** Of the recording. */
  readonly folder: string;
  readonly snapshot: Snapshot;
  readonly capture: RecordingCapture | undefined;
};

async function endDownload(
  stream: CaptureStream,
  end: SendingEnd,
  { folder, snapshot, capture }: Sent,
): Promise<DownloadEnd> {
  const damage = (capture?.damage() ?? []).map(({ message }) => message);
  const leftOut = [...snapshot.notes, ...damage];
  const notes = leftOut.slice(0, mostNotes).map((note) => withoutFolder(note, folder));
  const packets = capture?.packets() ?? 0;
  const last = {
    ...outcomeOf(end, leftOut.length > 0),
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
      return heldTooMuch;
    case 'end':
      return isDamaged ? damagedFiles : { reason: 'Complete', isComplete: true };
  }
}

/** How a stream ends in which something is missing that the ring has: its notes say what. */
export const damagedFiles = {
  reason: 'DamagedFiles',
  message: 'a file, or the rest of one, could not be read and is left out',
  isComplete: false,
} as const;

/** How a stream ends whose reader has kept too much of the disk. */
export const heldTooMuch = {
  reason: 'HeldTooMuch',
  message:
    'the ring deleted the files faster than they were read, and the disk cannot keep them: ask for a part, or read faster',
  isComplete: false,
} as const;
