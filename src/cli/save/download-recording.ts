import { setTimeout as sleep } from 'node:timers/promises';
import type { StreamEnd, StreamGap } from '../../api/stream-frames.ts';
import type { Backoff } from '../../base/backoff.ts';
import type { CaptureStream, OpenedStream, RecordingRequest } from '../api/capture-stream.ts';
import type { SpoolFile } from './spool-file.ts';

/** A recording that was asked for: all that was sent of it, or why there is nothing. */
export type Download = DownloadedRecording | { readonly kind: 'failed'; readonly message: string };

export type DownloadedRecording = {
  readonly kind: 'downloaded';
  readonly end: StreamEnd;
  readonly gaps: readonly StreamGap[];
};

export type DownloadRecording = {
  readonly request: RecordingRequest;
  readonly open: (request: RecordingRequest, signal: AbortSignal) => Promise<OpenedStream>;
  readonly file: Pick<SpoolFile, 'write' | 'clear'>;
  readonly backoff: Backoff;
  readonly mostTries: number;
  /** Whether any download has begun: if none has, it is no restart that is waited for. */
  readonly hasBegun: () => boolean;
  /** Bytes that are in the file; less than before when it starts over. */
  readonly onBytes: (bytes: number) => void;
  readonly onRetry: (why: string, waitMs: number) => void;
  readonly signal: AbortSignal;
};

/**
 * Downloads a recording into the file. A stream that is cut, or is not what was sent, starts over: it has no offsets, and
 * its packets count only with its digest. Throws the errors of the file and the signal's reason.
 */
export async function downloadRecording(download: DownloadRecording): Promise<Download> {
  const { backoff, mostTries, onRetry, signal } = download;
  for (let tries = 1; ; tries += 1) {
    const tried = await tryOnce(download);
    signal.throwIfAborted();
    if (tried.kind === 'downloaded') return tried;
    if (!tried.canRetry) return { kind: 'failed', message: tried.message };
    const most = tried.isPassing || download.hasBegun() ? mostTries : Math.min(mostTries, firstTries);
    if (tries >= most) return { kind: 'failed', message: `${tried.message} (tried ${tries} times)` };
    const waitMs = backoff.next();
    onRetry(tried.message, waitMs);
    await sleep(waitMs, undefined, { signal });
  }
}

/** Of something that may be away for good: about 11 s, as an agent that is restarted takes. */
const firstTries = 6;

type Tried =
  | DownloadedRecording
  | {
      readonly kind: 'failed';
      readonly message: string;
      readonly canRetry: boolean;
      /** It was there, or it is only busy. */
      readonly isPassing: boolean;
    };

async function tryOnce(download: DownloadRecording): Promise<Tried> {
  const { request, open, file, onBytes, signal } = download;
  const opened = await open(request, signal);
  if (opened.kind === 'refused')
    return {
      kind: 'failed',
      message: opened.message,
      canRetry: opened.canRetry,
      isPassing: opened.status === 429,
    };
  await using stream = opened.stream;
  await file.clear();
  onBytes(0);
  return await receive(stream, download);
}

async function receive(stream: CaptureStream, { file, onBytes, signal }: DownloadRecording): Promise<Tried> {
  let bytes = 0;
  for await (const chunk of stream.chunks()) {
    await file.write(chunk);
    bytes += chunk.length;
    onBytes(bytes);
    signal.throwIfAborted();
  }
  const outcome = stream.outcome();
  const again = { kind: 'failed', canRetry: true, isPassing: true } as const;
  switch (outcome.kind) {
    case 'cut':
      return { ...again, message: `the download was cut: ${outcome.message}` };
    case 'corrupt':
      return { ...again, message: `the download is damaged: ${outcome.message}` };
    case 'ended':
      return { kind: 'downloaded', end: outcome.end, gaps: stream.gaps };
  }
}
