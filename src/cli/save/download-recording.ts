import { setTimeout as sleep } from 'node:timers/promises';
import type { StreamEnd, StreamGap } from '../../api/stream-frames.ts';
import type { Backoff } from '../../base/backoff.ts';
import type { CaptureStream, OpenedStream, RecordingRequest } from '../api/capture-stream.ts';
import type { HubOutage } from './hub-outage.ts';
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
  /** Whether any download has begun: if none has, it is no restart that is waited for. */
  readonly hasBegun: () => boolean;
  /** Of all downloads together: each of them waits no longer for the hub than the first one. */
  readonly outage: HubOutage;
  readonly limits: DownloadLimits;
  /** Bytes that are in the file; less than before when it starts over. */
  readonly onBytes: (bytes: number) => void;
  readonly onRetry: (why: string, waitMs: number) => void;
  readonly signal: AbortSignal;
};

export type DownloadLimits = {
  readonly mostTries: number;
  /** The longest wait for a hub that was there. */
  readonly outageMs: number;
  /** The longest wait for a Node whose places for downloads are taken. */
  readonly busyMs: number;
};

/**
 * Downloads a recording into the file. A stream that is cut, or is not what was sent, starts over: it has no offsets, and
 * its packets count only with its digest. Throws the errors of the file and the signal's reason.
 */
export async function downloadRecording(download: DownloadRecording): Promise<Download> {
  const { backoff, limits, onRetry, signal } = download;
  let busySinceMs: number | undefined;
  for (let tries = 0; ; ) {
    const tried = await tryOnce(download);
    signal.throwIfAborted();
    if (tried.kind === 'downloaded') return tried;
    if (!tried.canRetry) return { kind: 'failed', message: tried.message };
    const nowMs = performance.now();
    busySinceMs = tried.isBusy ? (busySinceMs ?? nowMs) : undefined;
    // Whoever has the places can keep them for long: such tries do not count.
    if (busySinceMs === undefined) tries += 1;
    const end =
      busySinceMs === undefined ? endOf(tries, tried, download) : busyEnd(nowMs - busySinceMs, limits);
    if (end !== undefined) return { kind: 'failed', message: `${tried.message} (${end})` };
    const waitMs = Math.max(backoff.next(), Math.min(tried.retryAfterMs ?? 0, mostAskedMs));
    onRetry(tried.message, waitMs);
    await sleep(waitMs, undefined, { signal });
  }
}

/** Whatever a server asks for. */
const mostAskedMs = 60_000;

function busyEnd(lastsMs: number, { busyMs }: DownloadLimits): string | undefined {
  return lastsMs < busyMs ? undefined : `tried for ${secondsText(lastsMs)}`;
}

/** Why it is not tried again, after so many tries; undefined if it is. */
function endOf(
  tries: number,
  { wasOpen }: FailedTry,
  { hasBegun, outage, limits: { mostTries, outageMs } }: DownloadRecording,
): string | undefined {
  const most = wasOpen || hasBegun() ? mostTries : Math.min(mostTries, firstTries);
  if (tries >= most) return `tried ${tries} times`;
  const lastsMs = outage.lastsMs(performance.now());
  const mostMs = hasBegun() ? outageMs : Math.min(outageMs, firstMs);
  return lastsMs < mostMs ? undefined : `it has not answered for ${secondsText(lastsMs)}`;
}

function secondsText(ms: number): string {
  return `${Math.round(ms / 1_000)} s`;
}

/** Of something that may be away for good: about 11 s, as an agent that is restarted takes. */
const firstTries = 6;
const firstMs = 11_000;

type FailedTry = {
  readonly kind: 'failed';
  readonly message: string;
  readonly canRetry: boolean;
  readonly wasOpen: boolean;
  /** The Node serves as many downloads as it can. */
  readonly isBusy: boolean;
  readonly retryAfterMs?: number;
};

type Tried = DownloadedRecording | FailedTry;

async function tryOnce(download: DownloadRecording): Promise<Tried> {
  const { request, open, file, onBytes, outage, signal } = download;
  const opened = await open(request, signal);
  if (opened.kind === 'refused' && isHubAway(opened.reason)) outage.refused(performance.now());
  else outage.answered();
  if (opened.kind === 'refused')
    return { ...opened, kind: 'failed', wasOpen: false, isBusy: opened.status === 429 };
  await using stream = opened.stream;
  await file.clear();
  onBytes(0);
  return await receive(stream, download);
}

function isHubAway(reason: string): boolean {
  return reason === 'HubUnavailable' || reason === 'Unreachable';
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
  const again = { kind: 'failed', canRetry: true, wasOpen: true, isBusy: false } as const;
  switch (outcome.kind) {
    case 'cut':
      return { ...again, message: `the download was cut: ${outcome.message}` };
    case 'corrupt':
      return { ...again, message: `the download is damaged: ${outcome.message}` };
    case 'ended':
      return { kind: 'downloaded', end: outcome.end, gaps: stream.gaps };
  }
}
