import { setTimeout as sleep } from 'node:timers/promises';
import type { StreamGap } from '../../api/stream-frames.ts';
import type { Backoff } from '../../base/backoff.ts';
import type { CaptureInterface } from '../../pcap/capture-interface.ts';
import { type CurrentPacket, type Damage, isLoss } from '../../pcap/packet-reader.ts';
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
  /** What could not be read in a stream that has ended. */
  readonly onDamage: (damage: readonly Damage[]) => void;
  /** A stream that has lasted so long works: the next wait is the shortest again. */
  readonly settledMs?: number;
  readonly signal: AbortSignal;
};

/**
 * Passes the packets of a Pod on until it ends. A stream that is cut is opened again for as long as that takes: what passes
 * meanwhile is missing. One that is not what was sent, or no capture, is tried some times only: each takes a tap on the
 * Node. Throws the signal's reason.
 */
export async function followTap(tap: FollowTap): Promise<TapEnding> {
  const { open, request, backoff, onCut, settledMs = defaultSettledMs, signal } = tap;
  let lastMs: number | undefined;
  let wrong = 0;
  for (let tries = 1; ; tries += 1) {
    const opened = await open(request, signal);
    let why = opened.kind === 'open' ? '' : opened.message;
    if (opened.kind === 'open') {
      const openedMs = performance.now();
      tap.onOpened(lastMs === undefined ? undefined : openedMs - lastMs);
      const ending = await receive(opened.stream, tap);
      lastMs = performance.now();
      signal.throwIfAborted();
      if (ending.kind === 'ended') return ending;
      why = ending.message;
      const hasSettled = lastMs - openedMs >= settledMs;
      if (hasSettled) backoff.reset();
      wrong = (hasSettled ? 0 : wrong) + (ending.kind === 'wrong' ? 1 : 0);
      if (wrong >= mostWrong) return { kind: 'refused', message: `${why} (${wrong} times)` };
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

/** In a row: a newer hub, or what is between, sends the same the next time. */
const mostWrong = 3;

const defaultSettledMs = 5_000;

/** A Node that has as many live captures as it may has a place for another one only when one of them ends. */
const fullMs = 10_000;

type Received =
  | Extract<TapEnding, { readonly kind: 'ended' }>
  | { readonly kind: 'cut' | 'wrong'; readonly message: string };

async function receive(opened: CaptureStream, tap: FollowTap): Promise<Received> {
  await using stream = opened;
  let pumped: Pumped;
  try {
    pumped = await pump(stream, tap);
  } finally {
    tap.onGaps(stream.gaps);
  }
  tap.signal.throwIfAborted();
  if (pumped.kind === 'not-capture')
    return { kind: 'wrong', message: `what came is no capture: ${pumped.message}` };
  const outcome = stream.outcome();
  // What ends inside a packet because it was cut is no damage of its own.
  const damage = outcome.kind === 'ended' ? pumped.damage.filter(isLoss) : pumped.damage.filter(isCorrupt);
  if (damage.length > 0) tap.onDamage(damage);
  if (outcome.kind !== 'ended')
    return { kind: outcome.kind === 'cut' ? 'cut' : 'wrong', message: outcome.message };
  const { end } = outcome;
  const message = end.message ?? endTexts[end.reason] ?? end.reason;
  // An agent that stops is followed by another one.
  return { kind: end.isComplete ? 'ended' : 'cut', message };
}

const endTexts: Readonly<Record<string, string | undefined>> = {
  PodEnded: 'the Pod has ended',
  InterfaceGone: 'its interface is gone',
};

type Pumped =
  | { readonly kind: 'read'; readonly damage: readonly Damage[] }
  | { readonly kind: 'not-capture'; readonly message: string };

function isCorrupt({ kind }: Damage): boolean {
  return kind === 'corrupt';
}

async function pump(stream: CaptureStream, tap: FollowTap): Promise<Pumped> {
  const { request, onPacket, signal } = tap;
  const opened = await openCaptureStream(stream.chunks(), {
    name: request.pod,
    bufferBytes: readBufferBytes,
  });
  if (opened.kind === 'not-capture') return opened;
  await using reader = opened.reader;
  try {
    for (;;) {
      const next = reader.next();
      if (!(typeof next === 'boolean' ? next : await next)) break;
      signal.throwIfAborted();
      const description = reader.interfaces[reader.packet.interfaceIndex];
      if (description) onPacket(reader.packet, description);
    }
  } catch (error) {
    // Of an interrupted stream, what was found until then.
    const damage = reader.damage.filter(isCorrupt);
    if (damage.length > 0) tap.onDamage(damage);
    throw error;
  }
  return { kind: 'read', damage: reader.damage };
}

/** One for each Pod; a longer packet makes it larger. */
const readBufferBytes = 64 * 1024;
