import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import type { StreamEnd, StreamGap } from '../../api/stream-frames.ts';
import { plainText } from '../../base/plain-text.ts';
import { bytesUntilSilent, SilentAnswer } from './bytes-until-silent.ts';
import type { CaptureStream, StreamOutcome } from './capture-stream.ts';
import { frameParts, WrongFrame } from './frame-parts.ts';
import { isCut } from './is-cut.ts';

export type FramedStreamOptions = {
  /** A stream from which nothing has come for so long is cut: agents send a heartbeat after 5 s. */
  readonly silenceMs?: number;
  /** A stream that has sent nothing but heartbeats for this long is cut; never unless given: a tap can have no packets. */
  readonly stallMs?: number;
};

const defaultSilenceMs = 45_000;

/**
 * The capture file in an answer that is frames. Its bytes are counted and hashed as they pass, and compared with what
 * the end frame says. When the signal aborts, `chunks` throws its reason.
 */
export function framedStream(
  body: Readable,
  signal: AbortSignal,
  { silenceMs = defaultSilenceMs, stallMs = Number.POSITIVE_INFINITY }: FramedStreamOptions = {},
): CaptureStream {
  const gaps: StreamGap[] = [];
  let outcome: StreamOutcome | undefined;

  async function* chunks(): AsyncGenerator<Uint8Array, void> {
    const digest = createHash('sha256');
    let bytes = 0;
    let end: StreamEnd | undefined;
    let waitingSinceMs = performance.now();
    try {
      for await (const part of frameParts(bytesUntilSilent(body, silenceMs))) {
        if (end) throw new WrongFrame('something follows the end');
        if (part.kind === 'heartbeat') {
          if (performance.now() - waitingSinceMs >= stallMs) throw new SilentAnswer(onlyHeartbeats(stallMs));
          continue;
        }
        if (part.kind === 'data') {
          bytes += part.bytes.length;
          digest.update(part.bytes);
          yield part.bytes;
        } else if (part.kind === 'gap') keepGap(gaps, part.gap);
        else end = part.end;
        waitingSinceMs = performance.now();
      }
      outcome = end
        ? comparedEnd(end, bytes, digest.digest('hex'))
        : cut('it ended without its end frame', bytes);
    } catch (error) {
      signal.throwIfAborted();
      outcome = failedOutcome(error, bytes);
    } finally {
      body.destroy();
      outcome ??= cut('it was not read to its end', bytes);
    }
  }

  return {
    chunks,
    gaps,
    outcome() {
      if (outcome) return outcome;
      throw new Error('the stream has not been read to its end');
    },
    [Symbol.asyncDispose]() {
      body.destroy();
      return Promise.resolve();
    },
  };
}

function onlyHeartbeats(stallMs: number): string {
  return `nothing but heartbeats came for ${stallMs / 1_000} s`;
}

/** A live capture can have one gap after the other: those of the same reason, from here on, are one. */
const mostGaps = 1_000;

function keepGap(gaps: StreamGap[], gap: StreamGap): void {
  const last = gaps.at(-1);
  if (gaps.length < mostGaps || !last) {
    gaps.push(gap);
    return;
  }
  const same = gaps.findLastIndex(({ reason }) => reason === gap.reason);
  const at = same === -1 ? gaps.length - 1 : same;
  gaps[at] = sumOf(gaps[at] ?? last, gap);
}

function sumOf(one: StreamGap, other: StreamGap): StreamGap {
  const packets = added(one.packets, other.packets);
  const bytes = added(one.bytes, other.bytes);
  return {
    reason: one.reason,
    ...(packets !== undefined && { packets }),
    ...(bytes !== undefined && { bytes }),
  };
}

/** What is unknown makes the sum unknown. */
function added(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? undefined : one + other;
}

function comparedEnd(end: StreamEnd, bytes: number, sha256: string): StreamOutcome {
  if (end.bytes !== bytes) {
    return corrupt(`${bytes} bytes arrived, and its end says that ${end.bytes} were sent`);
  }
  if (end.sha256 !== sha256)
    return corrupt(`the ${bytes} bytes that arrived do not have the digest of those that were sent`);
  return { kind: 'ended', end };
}

/** Throws what is no fault of the stream. */
function failedOutcome(error: unknown, bytes: number): StreamOutcome {
  if (error instanceof WrongFrame) return corrupt(error.message);
  if (error instanceof SilentAnswer || isCut(error)) return cut(error.message, bytes);
  throw error;
}

function cut(why: string, bytes: number): StreamOutcome {
  return { kind: 'cut', message: `the stream was cut after ${bytes} bytes: ${plainText(why)}` };
}

function corrupt(why: string): StreamOutcome {
  return { kind: 'corrupt', message: `the stream is not what was sent: ${plainText(why)}` };
}
