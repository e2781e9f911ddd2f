import type { Logger } from 'pino';
import { type Backoff, backoff } from '../../base/backoff.ts';
import { type Wakeup, wakeup } from '../../base/wakeup.ts';
import { type Pod, podInterface } from '../../kubernetes/pod.ts';
import type { Network } from '../netns/cni-entry.ts';
import type { PodNetworks } from '../netns/pod-networks.ts';
import type { RecorderReport, StopReason } from '../observability/capture-status.ts';
import { type CaptureSpec, filterAnnotation } from '../planner/annotations.ts';
import { invalidFilter, noSuchInterface, type Refusal } from '../planner/refusals.ts';
import type { CaptureFolder } from '../storage/capture-folder.ts';
import { addTotals, noTotals, type Totals } from '../storage/capture-records.ts';
import { type LeftoverPruning, startLeftoverPruning } from '../storage/prune-leftovers.ts';
import { type Capture, type CaptureSettings, startCapture } from './capture.ts';
import { checkFilter } from './filter-check.ts';
import {
  type CaptureStep,
  hasLostNetwork,
  isSameCapture,
  networkEndMs,
  nextStep,
  type RecordingGoal,
  type RecordingObservation,
} from './next-step.ts';
import { writeErrorMessage } from './write-error-message.ts';

/** One Pod's recording, from the moment it is wanted until nothing of it runs. */
export type Recorder = {
  /** This is wanted now, and takes effect without a lost packet; a Pod that was thought to have ended goes on. */
  readonly change: (spec: CaptureSpec) => void;
  /** The Pod has ended: the recording ends with its network, so that the last packets are in the file. */
  readonly endWithPod: () => void;
  /** Ends now, and resolves when nothing of it runs any more. */
  readonly stop: (why: StopReason) => Promise<void>;
  /** A recording that only waits for its Pod's network to go can still be changed: it is `recording`. */
  readonly phase: () => 'recording' | 'ending' | 'ended';
  /** How long was captured by now, with all that was before this recorder. */
  readonly capturedMs: () => number;
  /** Resolves when nothing of it runs any more. Never rejects. */
  readonly ended: Promise<void>;
};

export type RecorderOptions = {
  readonly pod: Pick<Pod, 'namespace' | 'name' | 'uid'>;
  /** The UID by which the CNI plugin knows the Pod: another one for static Pods. */
  readonly networkUid: string;
  readonly spec: CaptureSpec;
  readonly folder: CaptureFolder;
  readonly networks: PodNetworks;
  readonly settings: CaptureSettings;
  readonly onReport: (report: RecorderReport) => void;
  /** What this recorder has counted so far, and whether packets pass it by. */
  readonly onCount: (counted: { readonly totals: Totals; readonly isStalled: boolean }) => void;
  readonly log: Logger;
};

/** A Pod deleted by force leaves the API before its containers end: how long its network is waited for. */
const podEndMs = 60_000;
/** A tcpdump that ran so long was well: the next failure is the first again. */
const healthyMs = 30_000;
/** An additional interface may come later than the Pod's own. */
const interfaceRetryMs = 30_000;

export function startRecorder(options: RecorderOptions): Recorder {
  const { folder, settings, networks, networkUid, log } = options;
  const recorderWakeup = wakeup();
  const { path } = folder;
  const ring = startLeftoverPruning({
    folder: path,
    files: options.spec.files,
    wrapAfter: settings.wrapAfter,
    log,
  });
  const recording: RecorderState = {
    ...options,
    wakeup: recorderWakeup,
    ring,
    waits: backoff(),
    goal: { kind: 'record' },
    spec: options.spec,
    done: noTotals,
    notBeforeMs: 0,
    phase: 'recording',
  };

  async function runToEnd(): Promise<void> {
    const unsubscribe = networks.onChange(networkUid, recorderWakeup.wake);
    await record(recording);
    unsubscribe();
    await ring[Symbol.asyncDispose]();
    recording.phase = 'ended';
    const { goal, done } = recording;
    options.onReport({ kind: 'stopped', why: goal.kind === 'stop' ? goal.why : 'PodEnded', totals: done });
  }
  const ended = runToEnd();

  return {
    change(spec) {
      if (recording.goal.kind === 'endWithPod') recording.goal = { kind: 'record' };
      recording.spec = spec;
      recording.notBeforeMs = 0;
      ring.keep(spec.files);
      recording.current?.keep(spec.files);
      recording.replaced?.keep(spec.files);
      recorderWakeup.wake();
    },
    endWithPod() {
      if (recording.goal.kind !== 'record') return;
      recording.goal = { kind: 'endWithPod', untilMs: performance.now() + podEndMs };
      recorderWakeup.wake();
    },
    async stop(why) {
      recording.goal = { kind: 'stop', why };
      if (recording.phase === 'recording') recording.phase = 'ending';
      recorderWakeup.wake();
      await ended;
    },
    phase: () => recording.phase,
    capturedMs: () => capturedMs(recording),
    ended,
  };
}

/** Everything that changes while a recording lives; only its own loop and the functions above write here. */
type RecorderState = Omit<RecorderOptions, 'spec'> & {
  readonly wakeup: Wakeup;
  readonly ring: LeftoverPruning;
  readonly waits: Backoff;
  goal: RecordingGoal;
  spec: CaptureSpec;
  /** The newest capture. */
  current?: Capture | undefined;
  /** The one that it takes over from, until it captures. */
  replaced?: Capture | undefined;
  /** What the captures that have ended counted. */
  done: Totals;
  /** Of the generations before this recorder. */
  earlier?: Totals;
  gone?: RecordingObservation['gone'];
  networkGoneMs?: number | undefined;
  notBeforeMs: number;
  phase: ReturnType<Recorder['phase']>;
};

/** Looks at everything, does what is due, and waits for a change: of the wish, the network or a tcpdump. */
async function record(recording: RecorderState): Promise<void> {
  for (;;) {
    const impossible = collectEnded(recording);
    if (impossible) await refuse(recording, impossible);
    const step = nextStep(await observe(recording), performance.now());
    if (step.kind === 'end') break;
    await take(recording, step);
  }
  recording.phase = 'ending';
  const how = recording.goal.kind === 'stop' && recording.goal.why === 'AnnotationRemoved' ? 'kill' : 'flush';
  await Promise.all([recording.replaced?.stop(how), recording.current?.stop(how)]);
  collectEnded(recording);
}

/** Times of performance.now(), as everywhere here. */
async function observe(recording: RecorderState): Promise<RecordingObservation> {
  const network = await findNetwork(recording);
  const { goal, spec, current, replaced, gone, notBeforeMs } = recording;
  const isLost = current !== undefined && hasLostNetwork(current, network);
  recording.networkGoneMs = isLost ? (recording.networkGoneMs ?? performance.now()) : undefined;
  return {
    goal,
    spec,
    network,
    current: current && { ...current, listeningMs: current.listeningMs() },
    replaces: replaced !== undefined,
    networkGoneMs: recording.networkGoneMs,
    gone,
    notBeforeMs,
  };
}

async function take(recording: RecorderState, step: Exclude<CaptureStep, { kind: 'end' }>): Promise<void> {
  const { replaced, current } = recording;
  switch (step.kind) {
    case 'stop':
      await Promise.all([replaced?.stop('flush'), step.which === 'all' ? current?.stop('flush') : undefined]);
      return;
    case 'begin':
      return await begin(recording, step.network);
    case 'wait':
      if (step.forNetwork) recording.onReport({ kind: 'waiting' });
      return await recording.wakeup.wait(step.ms);
  }
}

/** Starts what is asked for, beside what runs. */
async function begin(recording: RecorderState, network: Network): Promise<void> {
  const { spec, folder, settings, ring, log } = recording;
  try {
    const refusal = await refusalOf(spec, settings);
    if (refusal) return await refuse(recording, { refusal, spec, againMs: Number.POSITIVE_INFINITY });
    const capture = await startCapture({
      folder,
      network,
      spec,
      settings,
      pruning: ring,
      overlaps: recording.current?.spec.interface === spec.interface,
      onListening(generation, missedBefore) {
        recording.onReport({ kind: 'capturing', generation, spec, missedBefore });
        recording.wakeup.wake();
      },
      onInterface(generation, isUp) {
        const name = spec.interface;
        recording.onReport(
          isUp
            ? { kind: 'capturing', generation, spec, missedBefore: 0 }
            : { kind: 'interfaceDown', generation, interface: name },
        );
      },
      onCount: (isStalled) => recording.onCount({ totals: countedBy(recording), isStalled }),
      onEnd: recording.wakeup.wake,
      log,
    });
    recording.earlier ??= capture.earlier;
    recording.replaced = recording.current;
    recording.current = capture;
  } catch (error) {
    fail(recording, await writeErrorMessage(error, folder.path));
  }
}

async function refusalOf({ filter }: CaptureSpec, { userId }: CaptureSettings): Promise<Refusal | undefined> {
  if (filter === undefined) return undefined;
  const check = await checkFilter(filter, { userId });
  if (check.kind === 'accepted') return undefined;
  if (check.kind === 'failed') throw new Error(`the filter could not be checked: ${check.problem}`);
  return invalidFilter(filterAnnotation, filter, check.problem);
}

/** What a try has shown to be impossible, and after how long it is worth another one. */
type Impossible = { readonly refusal: Refusal; readonly spec: CaptureSpec; readonly againMs: number };

/** Nothing runs until then, or until another request comes; it may have come while this one was tried. */
async function refuse(recording: RecorderState, { refusal, spec, againMs }: Impossible): Promise<void> {
  if (!isSameCapture(recording.spec, spec)) return;
  recording.notBeforeMs = performance.now() + againMs;
  if (recording.current) await stopRefused(recording, recording.current);
  recording.onReport({ kind: 'refused', refusal });
}

/** What was captured so far is told here; the count begins anew. */
async function stopRefused(recording: RecorderState, current: Capture): Promise<void> {
  await Promise.all([recording.replaced?.stop('flush'), current.stop('flush')]);
  collectEnded(recording);
  recording.onReport({ kind: 'stopped', why: 'Refused', totals: recording.done });
  recording.earlier = addTotals(recording.earlier ?? noTotals, recording.done);
  recording.done = noTotals;
}

function fail(recording: RecorderState, message: string): void {
  recording.notBeforeMs = performance.now() + recording.waits.next();
  recording.onReport({ kind: 'failed', message });
}

/**
 * Takes the captures that have ended out of the recording, and what they counted into it. Gives back what the end of
 * one has shown to be impossible.
 */
function collectEnded(recording: RecorderState): Impossible | undefined {
  const { replaced, current } = recording;
  if (replaced?.ending()) {
    recording.done = addTotals(recording.done, replaced.totals());
    recording.replaced = undefined;
  }
  const ending = current?.ending();
  if (!current || !ending) return undefined;
  recording.done = addTotals(recording.done, current.totals());
  recording.current = recording.replaced;
  recording.replaced = undefined;
  if (left((current.listeningMs() ?? performance.now()) + healthyMs) < 0) recording.waits.reset();
  if (ending.cause === 'stopped' || ending.cause === 'interfaceGone') {
    recording.gone = { sandboxId: current.network.sandboxId, untilMs: performance.now() + networkEndMs };
    // The Pod's own interface is missing only while its network is deleted, which is no refusal.
  } else if (ending.cause === 'noSuchDevice' && current.spec.interface !== podInterface) {
    const refusal = noSuchInterface(current.spec.interface, interfaceRetryMs);
    return { refusal, spec: current.spec, againMs: interfaceRetryMs };
  } else {
    fail(recording, ending.message);
  }
  return undefined;
}

async function findNetwork({ networks, pod, networkUid, log }: RecorderState): Promise<Network | undefined> {
  try {
    return await networks.find({ ...pod, uid: networkUid });
  } catch (error) {
    log.warn({ err: error }, 'network namespace not readable');
    return undefined;
  }
}

function countedBy({ done, current, replaced }: RecorderState): Totals {
  return [current, replaced].reduce(
    (sum, capture) => (capture ? addTotals(sum, capture.totals()) : sum),
    done,
  );
}

function capturedMs(recording: RecorderState): number {
  const { earlier = noTotals, current, replaced, done } = recording;
  const sinceMs = current?.listeningMs();
  const runningMs = sinceMs === undefined ? 0 : performance.now() - sinceMs;
  return earlier.capturedMs + done.capturedMs + (replaced?.totals().capturedMs ?? 0) + runningMs;
}

/** Until then, in milliseconds. */
function left(thenMs: number): number {
  return thenMs - performance.now();
}
