import { type LastingEnd, lastingEnd } from '../../base/lasting-end.ts';
import { onAbort } from '../../base/on-abort.ts';
import { type Wakeup, wakeup } from '../../base/wakeup.ts';
import type { Writing } from '../../commands/capture-output.ts';
import { exitCodes } from '../../commands/terminal.ts';
import type { CliTerminal } from '../cli-command.ts';
import { type ArrivingPackets, arrivingPackets } from './arriving-packets.ts';
import { type LiveReport, liveReport } from './live-report.ts';
import type { LiveSink } from './live-sink.ts';
import { type LivePod, type LiveTaps, type LiveTapsOptions, liveTaps, type TapEvents } from './live-taps.ts';
import { type PacketOrder, packetOrder } from './packet-order.ts';

/** A Pod of the targets comes or goes. */
export type PodChange =
  | { readonly kind: 'came'; readonly pod: LivePod }
  | { readonly kind: 'left'; readonly key: string };

export type RunLive = Pick<LiveTapsOptions, 'open' | 'asked' | 'backoffMs' | 'goneAfterMs'> & {
  readonly pods: readonly LivePod[];
  /** Undefined: no other Pods come, and the command ends when these have ended. Throws the signal's reason. */
  readonly changes: ((signal: AbortSignal) => AsyncIterable<PodChange>) | undefined;
  readonly sink: LiveSink;
  /** Aborts when nobody takes the packets any more. */
  readonly outputEnded?: AbortSignal;
  /** How many packets; Infinity for all. */
  readonly count: number;
  /** From the start on, whether a Pod is watched or not; Infinity for as long as there are Pods. */
  readonly durationMs: number;
  readonly terminal: CliTerminal;
  readonly signal: AbortSignal;
  readonly lastWriteMs?: number;
};

/** What another Pod has sent earlier may come so much later. */
const orderWaitMs = 50;
/** For what the output does not take at once. */
const mostWaitingBytes = 64 * 1024 * 1024;
/** Written at once, about. */
const chunkBytes = 64 * 1024;
/** An output that takes nothing does not keep a command that was interrupted. */
const defaultLastWriteMs = 2_000;

/** What changes while it runs. */
type LiveState = {
  shown: number;
  /** performance.now() */
  readonly untilMs: number;
  /** No Pods can come any more. */
  hasAllPods: boolean;
  failure: { readonly error: unknown } | undefined;
};

/** Shows the packets of the Pods until somebody ends that, or nothing more can come. Returns the exit code. */
export async function runLive(live: RunLive): Promise<number> {
  const { pods, changes, sink, terminal } = live;
  const startMs = performance.now();
  const report = liveReport(terminal);
  const state: LiveState = {
    shown: 0,
    untilMs: startMs + live.durationMs,
    hasAllPods: changes === undefined,
    failure: undefined,
  };
  const { wake, wait } = wakeup();
  const order = packetOrder({
    waitMs: () => (taps.running() > 1 ? orderWaitMs : 0),
    mostBytes: mostWaitingBytes,
  });
  const arriving = arrivingPackets(order, report.noSpace);
  const taps: LiveTaps = liveTaps({
    ...live,
    events: tapEvents({ state, order, arriving, report, wake, running: () => taps.running() }),
  });
  const over = new AbortController();
  const late = lastingEnd();
  await using ends = new AsyncDisposableStack();
  ends.use(lateAfter(live, late));
  ends.use(taps);
  ends.defer(() => over.abort(new Error('nobody watches any more')));
  report.begin(pods);
  for (const pod of pods) taps.start(pod);
  const following = followChanges(live, { taps, state, report, wake, signal: over.signal });
  const written = await writeInOrder(live, { order, arriving, taps, state, late, wait, wake });
  over.abort(new Error('nobody watches any more'));
  await Promise.all([taps[Symbol.asyncDispose](), following]);
  for (const lost of arriving.takeAllLost()) sink.lost(lost);
  const ended = await inTime(sink.end(), late);
  if (terminal.stderr.isTTY === true && live.signal.aborted) terminal.stderr.write('\n');
  const code = report.summary(state.shown, (performance.now() - startMs) / 1_000);
  if (state.failure) throw state.failure.error;
  const failed = [written, ended].find(({ kind }) => kind === 'failed');
  if (failed?.kind !== 'failed') return code;
  report.say(failed.message);
  return state.shown > 0 ? exitCodes.incomplete : exitCodes.failed;
}

type Events = {
  readonly state: LiveState;
  readonly order: PacketOrder;
  readonly arriving: ArrivingPackets;
  readonly report: LiveReport;
  readonly wake: Wakeup['wake'];
  readonly running: LiveTaps['running'];
};

function tapEvents({ state, order, arriving, report, wake, running }: Events): TapEvents {
  return {
    packet(pod, packet, description) {
      arriving.add(pod, packet, description);
      wake();
    },
    opened: report.opened,
    cut: report.cut,
    gaps: (_, gaps) => report.gaps(gaps),
    damaged: report.damaged,
    foreign: report.foreign,
    ended(pod, { kind, message }) {
      report[kind](pod, message);
      order.end(pod.key);
      if (!state.hasAllPods && running() === 0) report.say('no Pod is left: waiting for others');
      wake();
    },
    failed(error) {
      state.failure ??= { error };
      wake();
    },
  };
}

type Following = Pick<Events, 'state' | 'report' | 'wake'> & {
  readonly taps: LiveTaps;
  readonly signal: AbortSignal;
};

/** Never rejects. */
async function followChanges(
  { changes, pods }: RunLive,
  { taps, state, report, wake, signal }: Following,
): Promise<void> {
  if (!changes) return;
  // One that has ended, or was refused, is not tried again.
  const known = new Set(pods.map(({ key }) => key));
  try {
    for await (const change of changes(signal)) {
      if (change.kind === 'left') {
        taps.stop(change.key);
        known.delete(change.key);
      } else if (!known.has(change.pod.key)) {
        known.add(change.pod.key);
        report.came(change.pod);
        taps.start(change.pod);
      }
    }
  } catch (error) {
    if (!signal.aborted) state.failure ??= { error };
  }
  state.hasAllPods = true;
  wake();
}

type WriteInOrder = Pick<Events, 'order' | 'arriving' | 'state' | 'wake'> & {
  readonly taps: LiveTaps;
  readonly late: LastingEnd;
  readonly wait: Wakeup['wait'];
};

async function writeInOrder(live: RunLive, work: WriteInOrder): Promise<Writing> {
  const { sink, signal, outputEnded } = live;
  const { order, late, wait, wake } = work;
  using _interrupted = onAbort(signal, wake);
  using _unread = onAbort(outputEnded ?? signal, wake);
  for (;;) {
    // What has come until the end is shown, and waits for nothing.
    const isOver = hasEnded(live, work);
    const isLeft = takeSome(live, work, isOver ? Infinity : performance.now());
    if (sink.pendingBytes() > 0) {
      const writing = await inTime(sink.flush(), late);
      if (writing.kind !== 'written') return writing;
    }
    if (isLeft) continue;
    if (isOver) return { kind: 'written' };
    // What was written may have been the last one.
    if (hasEnded(live, work)) continue;
    const dueMs = Math.min(order.dueMs() ?? Infinity, work.state.untilMs);
    await wait(dueMs === Infinity ? undefined : dueMs - performance.now());
  }
}

function hasEnded({ signal, outputEnded, count }: RunLive, { state, taps }: WriteInOrder): boolean {
  return (
    signal.aborted ||
    outputEnded?.aborted === true ||
    state.failure !== undefined ||
    state.shown >= count ||
    performance.now() >= state.untilMs ||
    (state.hasAllPods && taps.running() === 0)
  );
}

/** Whether there may be more to take at once. */
function takeSome({ sink, count }: RunLive, work: WriteInOrder, nowMs: number): boolean {
  const { order, arriving, state } = work;
  for (;;) {
    for (const pod of order.takeDrained()) {
      for (const lost of arriving.takeLost(pod)) sink.lost(lost);
      sink.forget(pod);
    }
    if (state.shown >= count) return false;
    if (sink.pendingBytes() >= chunkBytes) return true;
    const packet = order.take(nowMs);
    if (!packet) return false;
    sink.add(packet);
    state.shown += 1;
  }
}

/** Comes some time after the command was interrupted. */
function lateAfter({ signal, lastWriteMs = defaultLastWriteMs }: RunLive, late: LastingEnd): Disposable {
  let timer: NodeJS.Timeout | undefined;
  const aborting = onAbort(signal, () => {
    timer = setTimeout(late.come, lastWriteMs);
  });
  return {
    [Symbol.dispose]() {
      aborting[Symbol.dispose]();
      clearTimeout(timer);
    },
  };
}

async function inTime(write: Promise<Writing>, late: LastingEnd): Promise<Writing> {
  return (await late.unlessEnded(write)) ?? { kind: 'closed' };
}
