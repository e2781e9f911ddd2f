import type { StreamGap } from '../../api/stream-frames.ts';
import { backoff } from '../../base/backoff.ts';
import type { CaptureInterface } from '../../pcap/capture-interface.ts';
import type { CurrentPacket, Damage } from '../../pcap/packet-reader.ts';
import type { OpenedStream, TapRequest } from '../api/capture-stream.ts';
import { type ForeignInterface, ownInterfaces } from '../api/own-interfaces.ts';
import { followTap, type TapEnding } from './follow-tap.ts';

/** A Pod to be watched. */
export type LivePod = {
  /** Its uid, or its name where that is all that is known. */
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  /** Where it runs, if that is known. */
  readonly node: string | undefined;
};

/** The taps of the Pods that are watched at this moment. Disposing of it ends them. */
export type LiveTaps = AsyncDisposable & {
  /** Unless it is watched already. */
  readonly start: (pod: LivePod) => void;
  /** The Pod is gone: ends its tap if that does not end itself soon. */
  readonly stop: (key: string) => void;
  /** Taps that have not ended. */
  readonly running: () => number;
};

export type LiveTapsOptions = {
  readonly open: (request: TapRequest, signal: AbortSignal) => Promise<OpenedStream>;
  readonly asked: Pick<TapRequest, 'filter' | 'interface' | 'snaplen'>;
  readonly events: TapEvents;
  readonly backoffMs?: { readonly minMs: number; readonly maxMs: number };
  /** How long the tap of a Pod that is gone may take to end itself. */
  readonly goneAfterMs?: number;
};

export type TapEvents = {
  /** The packet is valid until this returns. */
  readonly packet: (pod: LivePod, packet: CurrentPacket, description: CaptureInterface) => void;
  readonly opened: (pod: LivePod, missedMs: number | undefined) => void;
  readonly cut: (pod: LivePod, why: string) => void;
  readonly gaps: (pod: LivePod, gaps: readonly StreamGap[]) => void;
  /** Parts of its stream that could not be read. */
  readonly damaged: (pod: LivePod, damage: readonly Damage[]) => void;
  /** Its stream has an interface that is none of the Pod. */
  readonly foreign: (pod: LivePod, foreign: ForeignInterface) => void;
  readonly ended: (pod: LivePod, ending: TapEnding) => void;
  /** A tap failed in a way that ends the command. */
  readonly failed: (error: unknown) => void;
};

type Running = {
  readonly ending: AbortController;
  readonly done: Promise<void>;
  gone: NodeJS.Timeout | undefined;
};

class PodGone extends Error {}

/** An agent sees that a Pod has ended within seconds, and sends what came before. */
const defaultGoneAfterMs = 5_000;

/** A hub or an agent that is restarted is back after some seconds. */
const defaultBackoffMs = { minMs: 250, maxMs: 5_000 };

export function liveTaps({
  open,
  asked,
  events,
  backoffMs = defaultBackoffMs,
  goneAfterMs = defaultGoneAfterMs,
}: LiveTapsOptions): LiveTaps {
  const taps = new Map<string, Running>();

  async function run(pod: LivePod, signal: AbortSignal): Promise<void> {
    const { namespace, name, node } = pod;
    const own = ownInterfaces({ namespace, pod: name }, (foreign) => events.foreign(pod, foreign));
    try {
      const ending = await followTap({
        request: { kind: 'tap', namespace, pod: name, ...asked, ...(node !== undefined && { node }) },
        open,
        backoff: backoff(backoffMs),
        onPacket: (packet, description) => events.packet(pod, packet, own(description)),
        onOpened: (missedMs) => events.opened(pod, missedMs),
        onCut: (why) => events.cut(pod, why),
        onGaps: (gaps) => events.gaps(pod, gaps),
        onDamage: (damage) => events.damaged(pod, damage),
        signal,
      });
      over(pod.key);
      events.ended(pod, ending);
    } catch (error) {
      over(pod.key);
      if (!signal.aborted) events.failed(error);
      else if (signal.reason instanceof PodGone)
        events.ended(pod, { kind: 'ended', message: signal.reason.message });
    }
  }

  function over(key: string): void {
    clearTimeout(taps.get(key)?.gone);
    taps.delete(key);
  }

  return {
    start(pod) {
      if (taps.has(pod.key)) return;
      const ending = new AbortController();
      // Begun later: what is done at once would not find it in the map.
      const done = Promise.resolve().then(() => run(pod, ending.signal));
      taps.set(pod.key, { ending, done, gone: undefined });
    },
    stop(key) {
      const tap = taps.get(key);
      if (!tap) return;
      tap.gone ??= setTimeout(() => tap.ending.abort(new PodGone('the Pod is gone')), goneAfterMs);
    },
    running: () => taps.size,
    async [Symbol.asyncDispose]() {
      const all = [...taps.values()];
      for (const { ending } of all) ending.abort(new Error('nobody watches any more'));
      await Promise.all(all.map(({ done }) => done));
    },
  };
}
