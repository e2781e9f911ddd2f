import { setTimeout as sleep } from 'node:timers/promises';
import type { StreamGap } from '../../api/stream-frames.ts';
import type { Backoff } from '../../base/backoff.ts';
import type { CaptureInterface } from '../../pcap/capture-interface.ts';
import type { CurrentPacket } from '../../pcap/packet-reader.ts';
import { openCaptureStream } from '../../pcap/read/capture-reader.ts';
import type { CaptureStream, OpenedStream, TapRequest } from '../api/capture-stream.ts';

/** Why a Pod is not watched any more. */
export type TapEnding =
  | { readonly kind: 'ended'; readonly message: string }
  /** It was never watched, or cannot be any more. */
  | { readonly kind: 'refused'; readonly message: string };

export type FollowTap = {
  readonly request: TapRequest;
  readonly open: (request: TapRequest, signal: AbortSignal) => Promise<OpenedStream>;
  readonly backoff: Backoff;
  /** The packet is valid until this returns. */
  readonly onPacket: (packet: CurrentPacket, description: CaptureInterface) => void;
  /** It is watched from now on, for the first time or again after so long. */
  readonly onOpened: (missedMs: number | undefined) => void;
  /** It is not watched for the moment; it is tried again until it is watched. */
  readonly onCut: (why: string) => void;
  /** What was missing in a stream that has ended. */
  readonly onGaps: (gaps: readonly StreamGap[]) => void;
  readonly signal: AbortSignal;
};

/**
 * Passes the packets of a Pod on until it ends. A stream that is cut is opened again for as long as that takes: what passes
 * meanwhile is missing. Throws the signal's reason.
 */
export async function followTap(tap: FollowTap): Promise<TapEnding> {
  const { open, request, backoff, onCut, signal } = tap;
  let lastMs: number | undefined;
  for (let tries = 1; ; tries += 1) {
    const opened = await open(request, signal);
    let why = opened.kind === 'open' ? '' : opened.message;
    if (opened.kind === 'open') {
      backoff.reset();
      tap.onOpened(lastMs === undefined ? undefined : performance.now() - lastMs);
      const ending = await receive(opened.stream, tap);
      lastMs = performance.now();
      signal.throwIfAborted();
      if (ending.kind === 'ended') return ending;
      why = ending.message;
    } else if (!opened.canRetry && !isAgentAway(opened, lastMs)) {
      return { kind: lastMs === undefined ? 'refused' : 'ended', message: opened.message };
    }
    const isFull = opened.kind === 'refused' && opened.status === 429;
    if (lastMs === undefined && !isFull && tries >= firstTries) {
      return { kind: 'refused', message: `${why} (tried ${tries} times)` };
    }
    onCut(why);
    await sleep(isFull ? Math.max(fullMs, backoff.next()) : backoff.next(), undefined, { signal });
  }
}

/** A hub that was restarted does not know the Pod until the agent of its Node is connected again. */
function isAgentAway({ status }: { readonly status: number }, watchedMs: number | undefined): boolean {
  return status === 404 && watchedMs !== undefined && performance.now() - watchedMs < agentAwayMs;
}

const agentAwayMs = 30_000;

/** Of something that may be away for good: about 15 s. */
const firstTries = 7;

/** A Node that has as many live captures as it may has a place for another one only when one of them ends. */
const fullMs = 10_000;

type Received =
  | Extract<TapEnding, { readonly kind: 'ended' }>
  | { readonly kind: 'cut'; readonly message: string };

async function receive(opened: CaptureStream, tap: FollowTap): Promise<Received> {
  await using stream = opened;
  try {
    await pump(stream, tap);
  } finally {
    tap.onGaps(stream.gaps);
  }
  tap.signal.throwIfAborted();
  const outcome = stream.outcome();
  if (outcome.kind !== 'ended') return { kind: 'cut', message: outcome.message };
  const { end } = outcome;
  const message = end.message ?? endTexts[end.reason] ?? end.reason;
  // An agent that stops is followed by another one.
  return { kind: end.isComplete ? 'ended' : 'cut', message };
}

const endTexts: Readonly<Record<string, string | undefined>> = {
  PodEnded: 'the Pod has ended',
  InterfaceGone: 'its interface is gone',
};

async function pump(stream: CaptureStream, { request, onPacket, signal }: FollowTap): Promise<void> {
  const opened = await openCaptureStream(stream.chunks(), {
    name: request.pod,
    bufferBytes: readBufferBytes,
  });
  // What is cut before its header is said by the outcome.
  if (opened.kind === 'not-capture') return;
  await using reader = opened.reader;
  for (;;) {
    const next = reader.next();
    if (!(typeof next === 'boolean' ? next : await next)) return;
    signal.throwIfAborted();
    const description = reader.interfaces[reader.packet.interfaceIndex];
    if (description) onPacket(reader.packet, description);
  }
}

/** One for each Pod; a longer packet makes it larger. */
const readBufferBytes = 64 * 1024;
