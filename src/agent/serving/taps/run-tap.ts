import { setTimeout as sleep } from 'node:timers/promises';
import { onAbort } from '../../../base/on-abort.ts';
import { every, longestTimeoutMs } from '../../../base/timers.ts';
import type { CaptureInterface } from '../../../pcap/capture-interface.ts';
import type { CaptureReader } from '../../../pcap/read/capture-reader.ts';
import type { CaptureStream } from '../capture-stream.ts';
import type { TapPackets } from './tap-packets.ts';
import type { TapTcpdump } from './tap-tcpdump.ts';

/** Why a tap ended. After `ReaderGone` nobody hears of it. */
export type TapEnd = {
  readonly reason:
    | 'CountReached'
    | 'DurationReached'
    | 'PodEnded'
    | 'InterfaceGone'
    | 'CaptureFailed'
    | 'AgentStopping'
    | 'ReaderGone';
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
  readonly stream: CaptureStream;
  readonly durationMs: number | undefined;
  readonly hasPodEnded: () => boolean;
  /** Resolves once the number of packets is reached that was asked for. */
  readonly countReached: Promise<void>;
  readonly stopping: AbortSignal;
};

/** Whether everything was sent that was asked for. */
export function isComplete({ reason }: TapEnd): boolean {
  return !['CaptureFailed', 'AgentStopping', 'ReaderGone'].includes(reason);
}

const tickMs = 1_000;
/** The end of a Pod may be seen later than that of its interface. */
const podEndWithinMs = 2_000;

/** Passes packets on until the tap ends, and sends what the interfaces counted. The caller ends the stream. */
export async function runTap(tap: RunningTap): Promise<TapEnd> {
  const { promise: over, resolve: end } = Promise.withResolvers<TapEnd>();
  using ends = new DisposableStack();
  ends.use(endAt(tap.durationMs, () => end({ reason: 'DurationReached' })));
  ends.use(onAbort(tap.stream.signal, () => end(readerGone(tap.stream.signal.reason))));
  ends.use(onAbort(tap.stopping, () => end({ reason: 'AgentStopping', message: 'the agent is stopping' })));
  ends.use(
    every(tickMs, async () => {
      if (tap.hasPodEnded()) end(podEnded);
    }),
  );
  // By itself: a tcpdump that hangs answers nothing.
  ends.use(every(tickMs, () => askCounts(tap)));
  void tap.countReached.then(() => end({ reason: 'CountReached' }));
  const pumps = tap.interfaces.map(async (tapped, number) => {
    await pump(tapped.reader, number, tap.packets);
    end(await endOf(tap, tapped));
  });
  const found = await over;
  if (found.reason === 'ReaderGone') return found;
  const endings = await Promise.all(tap.interfaces.map(({ tcpdump }) => tcpdump.stop()));
  await Promise.all(pumps);
  for (const [number, { statistics }] of endings.entries())
    tap.packets.droppedByKernel(number, statistics?.dropped);
  // A capture file that ends with statistics is complete to its readers.
  if (isComplete(found)) tap.packets.statistics();
  return found;
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
  { hasPodEnded, stream }: RunningTap,
  { name, tcpdump }: TappedInterface,
): Promise<TapEnd> {
  const { isInterfaceGone, message } = await tcpdump.ended;
  if (!isInterfaceGone) return { reason: 'CaptureFailed', message };
  for (let waitedMs = 0; waitedMs < podEndWithinMs && !stream.signal.aborted; waitedMs += 50) {
    if (hasPodEnded()) return podEnded;
    await sleep(50);
  }
  return { reason: 'InterfaceGone', message: `the interface ${name} of the Pod is gone` };
}

const podEnded: TapEnd = { reason: 'PodEnded', message: 'the Pod has ended' };

function readerGone(reason: unknown): TapEnd {
  return { reason: 'ReaderGone', ...(reason instanceof Error && { message: reason.message }) };
}

/** Asks what the kernel has dropped. */
async function askCounts({ interfaces, packets }: RunningTap): Promise<void> {
  const counts = await Promise.all(interfaces.map(({ tcpdump }) => tcpdump.count()));
  for (const [number, statistics] of counts.entries()) packets.droppedByKernel(number, statistics?.dropped);
}

function endAt(ms: number | undefined, end: () => void): Disposable {
  const timer = ms === undefined ? undefined : setTimeout(end, Math.min(ms, longestTimeoutMs));
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}
