import { setTimeout as sleep } from 'node:timers/promises';
import { every, longestTimeoutMs } from '../../../base/timers.ts';
import type { CaptureInterface } from '../../../pcap/capture-interface.ts';
import type { CaptureReader } from '../../../pcap/read/capture-reader.ts';
import type { TapPackets } from './tap-packets.ts';
import type { TapSink } from './tap-sink.ts';
import type { TapEnding, TapTcpdump } from './tap-tcpdump.ts';

/** Why a tap ended. After `ReaderGone` and `ReaderStalled` nobody hears of it. */
export type TapEnd = {
  readonly reason:
    | 'CountReached'
    | 'DurationReached'
    | 'PodEnded'
    | 'InterfaceGone'
    | 'CaptureFailed'
    | 'AgentStopping'
    | 'ReaderGone'
    | 'ReaderStalled';
  readonly message?: string;
};

/** One of the interfaces of a tap, whose number is its place in the list. */
export type TappedInterface = {
  readonly name: string;
  readonly tcpdump: TapTcpdump;
  readonly reader: CaptureReader;
  /** What tcpdump says of it. */
  readonly link: CaptureInterface;
};

export type RunningTap = {
  readonly interfaces: readonly TappedInterface[];
  readonly packets: TapPackets;
  readonly sink: TapSink;
  readonly durationMs: number | undefined;
  readonly hasPodEnded: () => boolean;
  /** Resolves once the number of packets is reached that was asked for. */
  readonly countReached: Promise<void>;
  /** The reader is gone. */
  readonly signal: AbortSignal;
  readonly stopping: AbortSignal;
};

const tickMs = 1_000;
/** A stream that is silent for longer is cut by proxies. */
const silentTicks = 20;
/** A reader that takes nothing for so long, while something waits for it, is dropped. */
const stalledTicks = 60;
/** The end of a Pod may be seen later than that of its interface. */
const podEndWithinMs = 2_000;

/** Passes packets on until the tap ends, and sends what the interfaces counted. The caller ends the stream. */
export async function runTap(tap: RunningTap): Promise<TapEnd & { readonly lostAtStop?: number }> {
  const { promise: over, resolve: end } = Promise.withResolvers<TapEnd>();
  using ends = new DisposableStack();
  ends.use(endAt(tap.durationMs, () => end({ reason: 'DurationReached' })));
  ends.use(onAbort(tap.signal, () => end({ reason: 'ReaderGone' })));
  ends.use(onAbort(tap.stopping, () => end({ reason: 'AgentStopping', message: 'the agent is stopping' })));
  ends.use(watched(tap, end));
  void tap.countReached.then(() => end({ reason: 'CountReached' }));
  const pumps = tap.interfaces.map(async (tapped, number) => {
    await pump(tapped.reader, number, tap.packets);
    end(await endOf(tap, tapped));
  });
  const found = await over;
  if (found.reason === 'ReaderGone' || found.reason === 'ReaderStalled') return found;
  const endings = await Promise.all(tap.interfaces.map(({ tcpdump }) => tcpdump.stop()));
  await Promise.all(pumps);
  for (const [number, { statistics }] of endings.entries())
    tap.packets.droppedByKernel(number, statistics?.dropped);
  tap.packets.statistics();
  return { ...found, lostAtStop: lostAtStop(endings) };
}

/** Reads to the end of the capture; sends at once what has come. */
async function pump(reader: CaptureReader, number: number, packets: TapPackets): Promise<void> {
  try {
    for (;;) {
      const next = reader.next();
      if (typeof next === 'boolean') {
        if (!next) return;
      } else {
        packets.flush();
        if (!(await next)) return;
      }
      packets.packet(reader.packet, number);
    }
  } catch {
    // The pipe was closed: how tcpdump ended says more.
  } finally {
    packets.flush();
  }
}

async function endOf(
  { hasPodEnded, signal }: RunningTap,
  { name, tcpdump }: TappedInterface,
): Promise<TapEnd> {
  const { isInterfaceGone, message } = await tcpdump.ended;
  if (!isInterfaceGone) return { reason: 'CaptureFailed', message };
  for (let waitedMs = 0; waitedMs < podEndWithinMs && !signal.aborted; waitedMs += 50) {
    if (hasPodEnded()) return podEnded;
    await sleep(50);
  }
  return { reason: 'InterfaceGone', message: `the interface ${name} of the Pod is gone` };
}

const podEnded: TapEnd = { reason: 'PodEnded', message: 'the Pod has ended' };

/** Looks every second whether the Pod and the reader are there, asks for counts, and breaks a long silence. */
function watched(tap: RunningTap, end: (found: TapEnd) => void): Disposable {
  const { packets, sink, hasPodEnded } = tap;
  let silent = 0;
  let stalled = 0;
  let last = { packets: 0, pendingBytes: 0 };
  return every(tickMs, async () => {
    if (hasPodEnded()) end(podEnded);
    const now = { packets: packets.counts().packets, pendingBytes: sink.pendingBytes() };
    const isSilent = now.packets === last.packets;
    silent = isSilent ? silent + 1 : 0;
    stalled = isSilent && now.pendingBytes > 0 && now.pendingBytes >= last.pendingBytes ? stalled + 1 : 0;
    last = now;
    if (stalled >= stalledTicks) end({ reason: 'ReaderStalled' });
    if (silent >= silentTicks && now.pendingBytes === 0) {
      silent = 0;
      if (sink.heartbeat) sink.heartbeat();
      else packets.statistics();
    }
    await askCounts(tap);
  });
}

async function askCounts({ interfaces, packets }: RunningTap): Promise<void> {
  const counts = await Promise.all(interfaces.map(({ tcpdump }) => tcpdump.count()));
  for (const [number, statistics] of counts.entries()) packets.droppedByKernel(number, statistics?.dropped);
}

function endAt(ms: number | undefined, end: () => void): Disposable {
  const timer = ms === undefined ? undefined : setTimeout(end, Math.min(ms, longestTimeoutMs));
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}

function onAbort(signal: AbortSignal, call: () => void): Disposable {
  if (signal.aborted) call();
  signal.addEventListener('abort', call, { once: true });
  return { [Symbol.dispose]: () => signal.removeEventListener('abort', call) };
}

/** Packets that tcpdump received and did not write before it ended. */
function lostAtStop(endings: readonly TapEnding[]): number {
  return endings.reduce((lost, { statistics }) => {
    if (!statistics) return lost;
    const { received, captured, dropped } = statistics;
    return lost + Math.max(0, received - captured - dropped);
  }, 0);
}
