import type { Logger } from 'pino';
import type { Pod } from '../../../kubernetes/pod.ts';
import type { CheckFilter } from '../../capture/filter-check.ts';
import { answerError, type HubAddress, type LinkHandler, type LinkRequest } from '../../link/link-handler.ts';
import type { PodNetworks } from '../../netns/pod-networks.ts';
import type { StreamingSpawner } from '../../spawner/spawner.ts';
import { type CaptureStream, ReaderGone } from '../capture-stream.ts';
import { readerPlaces } from '../reader-places.ts';
import { type OpenedTap, openTap } from './open-tap.ts';
import { isComplete, runTap, type TapEnd } from './run-tap.ts';
import type { TapPackets } from './tap-packets.ts';
import { parseTapRequest, refusal, type TapRefusal } from './tap-request.ts';
import { listedTarget, type OwnPods } from './tap-target.ts';

/** Live captures of this Node's Pods, each as long as it is read. */
export type Taps = AsyncDisposable & {
  /** Answers GET /v1/tap. */
  readonly handle: LinkHandler;
  readonly counts: () => TapTotals;
};

export type TapTotals = {
  readonly open: number;
  readonly limit: number;
  /** Packets that were not sent, since the agent started: by the kernel, or because a reader was too slow. */
  readonly dropped: number;
};

export type TapsOptions = {
  readonly spawner: Pick<StreamingSpawner, 'startStreaming'>;
  readonly networks: Pick<PodNetworks, 'find' | 'absence'>;
  /** The Pods of this Node by UID; undefined before they are listed. */
  readonly pods: () => ReadonlyMap<string, Pod> | undefined;
  readonly checkFilter: CheckFilter;
  /** The hubs that the agent is connected to. */
  readonly hubs: () => readonly HubAddress[];
  readonly own: OwnPods;
  readonly nodeName: string;
  readonly maxTaps: number;
  /** By when all interfaces of a tap that begins now must have started; 10 s by default. */
  readonly startDeadline?: () => AbortSignal;
  readonly log: Logger;
  /** Ends all taps, with a word to their readers. */
  readonly signal: AbortSignal;
};

/** Serves taps until it is disposed of, which ends them. */
export function openTaps(options: TapsOptions): Taps {
  const disposing = new AbortController();
  const stopping = AbortSignal.any([options.signal, disposing.signal]);
  const running = new Set<Promise<void>>();
  const places = readerPlaces(options.maxTaps);
  const open = new Set<TapPackets>();
  /** Of taps that have ended. */
  let dropped = 0;

  async function serve(request: LinkRequest): Promise<void> {
    const parsed = parseTapRequest(request.query);
    if (parsed.kind === 'refused') return refuse(request, parsed);
    const opened = await openTap(parsed.tap, { ...options, request });
    if (opened.kind === 'refused') return refuse(request, opened);
    await using tap = opened;
    open.add(tap.packets);
    const end = await runTap({ ...tap, stopping });
    open.delete(tap.packets);
    dropped += droppedOf(tap.packets);
    options.log.info({ ...tap.names, ...end, ...tap.packets.counts() }, 'tap ended');
    if (end.reason !== 'ReaderGone') await tap.stream.end(endOf(tap, end)).catch(unlessGone);
  }

  return {
    async handle(request) {
      const place = places.take(request.headers);
      if (place.kind === 'full')
        return refuse(request, refusalWhenFull(request, place.mostPerReader, options));
      using _ = place;
      const tap = serve(request);
      const settled = tap.then(
        () => {},
        () => {},
      );
      running.add(settled);
      try {
        await tap;
      } finally {
        running.delete(settled);
      }
    },
    counts: () => ({
      open: places.taken(),
      limit: options.maxTaps,
      dropped: [...open].reduce((sum, packets) => sum + droppedOf(packets), dropped),
    }),
    async [Symbol.asyncDispose]() {
      disposing.abort();
      await Promise.all(running);
    },
  };
}

function droppedOf(packets: TapPackets): number {
  const { tooSlow, droppedByKernel } = packets.counts();
  return tooSlow + droppedByKernel;
}

function refuse({ stream }: LinkRequest, { status, error }: TapRefusal): void {
  answerError(stream, status, error);
}

/** Whoever does not have the Pod says so even then: the hub asks all, and takes any other refusal for that of its Node. */
function refusalWhenFull(
  { query }: LinkRequest,
  mostPerReader: number | undefined,
  options: TapsOptions,
): TapRefusal {
  const parsed = parseTapRequest(query);
  if (parsed.kind === 'refused') return parsed;
  const target = listedTarget(parsed.tap, options);
  return target.kind === 'refused' ? target : tooManyTaps(mostPerReader, options.maxTaps);
}

function tooManyTaps(mostPerReader: number | undefined, most: number): TapRefusal {
  const message =
    most === 0
      ? 'the settings of the agent allow no live captures on this Node'
      : mostPerReader !== undefined
        ? `${mostPerReader} live captures of yours run on this Node, which is the most that it allows one user: end one of them`
        : `${most} live captures run on this Node, which is the most that it allows: try again when one has ended`;
  return refusal(429, 'TooManyTaps', message);
}

function endOf({ packets }: OpenedTap, end: TapEnd): Parameters<CaptureStream['end']>[0] {
  const { reason, message } = end;
  const { packets: sent, tooSlow } = packets.counts();
  return {
    reason,
    ...(message !== undefined && { message }),
    isComplete: isComplete(end),
    packets: sent,
    dropped: droppedOf(packets),
    ...(tooSlow > 0 && { notes: [`${tooSlow} packets were dropped because the reader was too slow`] }),
  };
}

/** Of the last bytes, too, nobody needs to hear that nobody took them. */
function unlessGone(error: unknown): void {
  if (!(error instanceof ReaderGone)) throw error;
}
