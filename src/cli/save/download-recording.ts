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
    if (tries === mostTries) return { kind: 'failed', message: `${tried.message} (tried ${tries} times)` };
    const waitMs = backoff.next();
    onRetry(tried.message, waitMs);
    await sleep(waitMs, undefined, { signal });
  }
}

type Tried =
  | DownloadedRecording
  | { readonly kind: 'failed'; readonly message: string; readonly canRetry: boolean };

async function tryOnce(download: DownloadRecording): Promise<Tried> {
  const { request, open, file, onBytes, signal } = download;
  const opened = await open(request, signal);
  if (opened.kind === 'refused') return { ...opened, kind: 'failed' };
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
  switch (outcome.kind) {
    case 'cut':
      return { kind: 'failed', message: `the download was cut: ${outcome.message}`, canRetry: true };
    case 'corrupt':
      return { kind: 'failed', message: `the download is damaged: ${outcome.message}`, canRetry: true };
    case 'ended':
      return { kind: 'downloaded', end: outcome.end, gaps: stream.gaps };
  }
}
