import type { Logger } from 'pino';
import { type Backoff, type BackoffOptions, backoff } from '../../base/backoff.ts';
import { type Wakeup, wakeup } from '../../base/wakeup.ts';
import type { Pod } from '../../kubernetes/pod.ts';
import { type Network, podInterface } from '../netns/cni-entry.ts';
import type { PodNetworks } from '../netns/pod-networks.ts';
import type { RecorderReport, StopReason } from '../observability/capture-status.ts';
import { type CaptureSpec, filterAnnotation } from '../planner/annotations.ts';
import { type RunningRing, ringBytes } from '../planner/capacity.ts';
import { invalidFilter, noSuchInterface, type Refusal } from '../planner/refusals.ts';
import { addTotals, noTotals, type Totals } from '../storage/capture-records.ts';
import type { CaptureFolder } from '../storage/generations.ts';
import { type LeftoverPruning, startLeftoverPruning } from '../storage/prune-leftovers.ts';
import { type Capture, type CaptureSettings, startCapture } from './capture.ts';
import type { InterfaceCondition } from './interface-condition.ts';
import {
  type CaptureStep,
  hasLostNetwork,
  isSameCapture,
  networkEndMs,
  nextStep,
  type RecordingGoal,
  type RecordingObservation,
} from './next-capture-step.ts';
import type { Ending } from './tcpdump.ts';
import { writeErrorMessage } from './write-error-message.ts';

/** One Pod's recording, from the first request until nothing of it runs. */
export type Recorder = {
  /** Changes the request without losing a packet. If the Pod was thought to have ended, its capture continues. */
  readonly change: (spec: CaptureSpec) => void;
  /** The Pod has ended: the recording ends with its network, so that the last packets are in the file. */
  readonly endWithPod: () => void;
  /** Ends it now. Resolves when nothing of it runs any more. */
  readonly stop: (why: StopReason) => Promise<void>;
  /** A recording that waits for its Pod's network to be deleted can still be changed: it is `recording`. */
  readonly phase: () => 'recording' | 'ending' | 'ended';
  /** How long the Pod has been captured by now, by earlier recorders as well. */
  readonly capturedMs: () => number;
  /** What it was last asked for, and what it was asked for before as long as its folder is not measured again. */
  readonly ring: () => RunningRing;
  /** Resolves when nothing of it runs any more. Never rejects. */
  readonly ended: Promise<void>;
};

export type RecorderOptions = {
  readonly pod: Pick<Pod, 'namespace' | 'name' | 'uid'>;
  /** The UID by which the CNI plugin knows the Pod: a static Pod has another one. */
  readonly networkUid: string;
  readonly spec: CaptureSpec;
  readonly folder: CaptureFolder;
  readonly networks: PodNetworks;
  readonly settings: CaptureSettings;
  /** Measures the folder: after a change, what was written before it is not known. */
  readonly measure: () => Promise<void>;
  readonly onReport: (report: RecorderReport) => void;
  /** What this recorder has counted so far, and whether it is stalled. */
  readonly onCount: (counted: { readonly totals: Totals; readonly isStalled: boolean }) => void;
  readonly log: Logger;
};

/** A Pod deleted by force leaves the API before its containers end: how long its network may stay. */
const podEndMs = 60_000;
/** A tcpdump that captured for this long was healthy: after its failure, the shortest delay applies again. */
const healthyMs = 30_000;
/** A folder that could not be measured is measured again after this time. */
const measureRetryMs = 30_000;
/** After a failure the next start waits 0.25 to 0.5 s, and after further failures up to 15 to 30 s. */
const startBackoff: BackoffOptions = { minMs: 500, maxMs: 30_000 };
/** An additional interface may appear later than the Pod's own: how often the agent checks. */
const interfaceRetryMs = 30_000;

/** Starts recording: finds the Pod's network, starts tcpdump, and starts it again after failures. Never throws. */
export function startRecorder(options: RecorderOptions): Recorder {
  const { folder, networks, networkUid, log } = options;
  const recorderWakeup = wakeup();
  const { path } = folder;
  const pruning = startLeftoverPruning({
    folder: path,
    files: options.spec.files,
    log,
  });
  const recording: RecorderState = {
    ...options,
    wakeup: recorderWakeup,
    pruning,
    retryDelay: backoff(startBackoff),
    goal: { kind: 'record' },
    spec: options.spec,
    formerSpecs: [],
    endedTotals: noTotals,
    notBeforeMs: 0,
    phase: 'recording',
  };

  async function runToEnd(): Promise<void> {
    const unsubscribe = networks.onChange(networkUid, recorderWakeup.wake);
    await record(recording);
    unsubscribe();
    await pruning[Symbol.asyncDispose]();
    recording.phase = 'ended';
    clearTimeout(recording.measureRetry);
    const { goal, endedTotals: totals } = recording;
    options.onReport({ kind: 'stopped', why: goal.kind === 'stop' ? goal.why : 'PodEnded', totals });
  }
  const ended = runToEnd();

  return {
    change(spec) {
      if (recording.goal.kind === 'endWithPod') recording.goal = { kind: 'record' };
      addFormer(recording, { former: recording.spec, requested: spec });
      if (spec.filter !== recording.spec.filter) recording.filterCheck?.abort();
      recording.spec = spec;
      recording.notBeforeMs = 0;
      pruning.keep(spec.files);
      // At once, whatever the loop waits for.
      keepRequestedFiles(recording);
      recorderWakeup.wake();
      void measureFormer(recording);
    },
    endWithPod() {
      if (recording.goal.kind !== 'record') return;
      recording.goal = { kind: 'endWithPod', untilMs: performance.now() + podEndMs };
      recorderWakeup.wake();
    },
    async stop(why) {
      recording.goal = { kind: 'stop', why };
      recording.filterCheck?.abort();
      if (recording.phase === 'recording') recording.phase = 'ending';
      recorderWakeup.wake();
      await ended;
    },
    phase: () => recording.phase,
    capturedMs: () => capturedMs(recording),
    ring: () => ({ size: recording.spec, formerSizes: recording.formerSpecs }),
    ended,
  };
}

/** Everything that changes while a recording runs; only its own loop and the functions above write here. */
type RecorderState = Omit<RecorderOptions, 'spec'> & {
  readonly wakeup: Wakeup;
  readonly pruning: LeftoverPruning;
  /** How long the next start waits after a failure. */
  readonly retryDelay: Backoff;
  goal: RecordingGoal;
  spec: CaptureSpec;
  /** What was asked for before, if the folder was not measured since the last tcpdump of that ended. */
  formerSpecs: CaptureSpec[];
  /** Until it is measured again, after that failed. */
  measureRetry?: NodeJS.Timeout | undefined;
  /** The check that the next start waits for. */
  filterCheck?: AbortController | undefined;
  /** Not checked again when its tcpdump is started again: other Pods' checks may take long. */
  acceptedFilter?: string | undefined;
  /** The newest capture. */
  current?: Capture | undefined;
  /** The capture that the newest one takes over from. */
  replaced?: Capture | undefined;
  /** Of the captures of this recorder that have ended. */
  endedTotals: Totals;
  /** Of all generations before this recorder. */
  earlier?: Totals;
  goneSandbox?: RecordingObservation['goneSandbox'];
  networkLostMs?: number | undefined;
  notBeforeMs: number;
  phase: ReturnType<Recorder['phase']>;
};

/** Observes everything, takes the step that is due, and waits for a change: of the goal, the network or a tcpdump. */
async function record(recording: RecorderState): Promise<void> {
  for (;;) {
    const impossible = collectEnded(recording);
    if (impossible) await refuse(recording, impossible);
    keepRequestedFiles(recording);
    const step = nextStep(await observe(recording), performance.now());
    if (step.kind === 'end') break;
    await takeStep(recording, step);
  }
  recording.phase = 'ending';
  // The files are deleted right after.
  const how = recording.goal.kind === 'stop' && recording.goal.why === 'AnnotationRemoved' ? 'kill' : 'flush';
  await Promise.all([recording.replaced?.stop(how), recording.current?.stop(how)]);
  collectEnded(recording);
}

/** Ensures that each capture keeps the requested number of files: it may have changed while one was started. */
function keepRequestedFiles({ spec, current, replaced }: RecorderState): void {
  for (const capture of [current, replaced]) capture?.keep(spec.files);
}

async function observe(recording: RecorderState): Promise<RecordingObservation> {
  const network = await findNetwork(recording);
  const { goal, spec, current, replaced, goneSandbox, notBeforeMs } = recording;
  const isLost = current !== undefined && hasLostNetwork(current, network);
  recording.networkLostMs = isLost ? (recording.networkLostMs ?? performance.now()) : undefined;
  return {
    goal,
    spec,
    network,
    current: current && {
      ...current,
      listeningMs: current.listeningMs(),
      isSuperseded: current.isSuperseded(),
    },
    isReplacing: replaced !== undefined,
    networkLostMs: recording.networkLostMs,
    goneSandbox,
    notBeforeMs,
  };
}

async function takeStep(
  recording: RecorderState,
  step: Exclude<CaptureStep, { kind: 'end' }>,
): Promise<void> {
  const { replaced, current } = recording;
  switch (step.kind) {
    case 'stop':
      await Promise.all([replaced?.stop('flush'), step.which === 'all' ? current?.stop('flush') : undefined]);
      return;
    case 'start':
      return await startNext(recording, step.network);
    case 'wait':
      if (step.forNetwork) recording.onReport({ kind: 'waiting' });
      return await recording.wakeup.wait(step.ms);
  }
}

/** Starts the requested capture, while an earlier one may still run. */
async function startNext(recording: RecorderState, network: Network): Promise<void> {
  const { spec, folder, settings, pruning, log } = recording;
  try {
    const verdict = await filterVerdict(recording, spec);
    if (verdict === 'notWanted') return;
    if (verdict !== 'accepted')
      return await refuse(recording, { refusal: verdict, spec, retryMs: Number.POSITIVE_INFINITY });
    const capture = await startCapture({
      folder,
      network,
      spec,
      settings,
      pruning,
      overlaps: recording.current?.spec.interface === spec.interface,
      onListening(generation, { missedBefore, isOtherInterface }) {
        const report = { kind: 'capturing', generation, spec, missedBefore } as const;
        recording.onReport(isOtherInterface ? { ...report, isOtherInterface } : report);
        recording.wakeup.wake();
      },
      onInterface(generation, condition) {
        const report = interfaceReport(condition, generation, spec);
        if (report) recording.onReport(report);
        recording.wakeup.wake();
      },
      onCount: (isStalled) => recording.onCount({ totals: totalsSoFar(recording), isStalled }),
      onEnd: recording.wakeup.wake,
      log,
    });
    recording.earlier ??= capture.earlier;
    recording.replaced = recording.current;
    recording.current = capture;
    // The request may have changed while it started.
    addFormer(recording, { former: spec, requested: recording.spec });
  } catch (error) {
    fail(recording, await writeErrorMessage(error, folder.path));
  }
}

/** Undefined when it is replaced: the capture that takes over reports it. */
function interfaceReport(
  condition: InterfaceCondition,
  generation: number,
  spec: CaptureSpec,
): RecorderReport | undefined {
  switch (condition.kind) {
    case 'normal':
      return { kind: 'capturing', generation, spec, missedBefore: 0 };
    case 'down':
      return { kind: 'interfaceDown', generation, interface: spec.interface };
    case 'renamed':
      return { kind: 'interfaceRenamed', generation, interface: spec.interface, name: condition.name };
    case 'replaced':
      return undefined;
  }
}

type FilterVerdict = Refusal | 'accepted' | 'notWanted';

/** `notWanted` if the filter was changed, or the recording stopped, meanwhile. Throws if it could not be checked. */
async function filterVerdict(recording: RecorderState, { filter }: CaptureSpec): Promise<FilterVerdict> {
  if (filter === undefined || filter === recording.acceptedFilter) return 'accepted';
  if (recording.goal.kind === 'stop') return 'notWanted';
  const aborting = new AbortController();
  recording.filterCheck = aborting;
  try {
    const check = await recording.settings.checkFilter(filter, aborting.signal);
    if (check.kind === 'failed') throw new Error(`the filter could not be checked: ${check.problem}`);
    if (check.kind === 'rejected') return invalidFilter(filterAnnotation, filter, check.problem);
    recording.acceptedFilter = filter;
    return 'accepted';
  } catch (error) {
    if (aborting.signal.aborted) return 'notWanted';
    throw error;
  } finally {
    recording.filterCheck = undefined;
  }
}

/** A request that only an attempt has shown to be impossible, and when it is worth another attempt. */
type Impossible = { readonly refusal: Refusal; readonly spec: CaptureSpec; readonly retryMs: number };

/** Nothing runs until then, or until another request. If the request has changed meanwhile, nothing is refused. */
async function refuse(recording: RecorderState, { refusal, spec, retryMs }: Impossible): Promise<void> {
  if (!isSameCapture(recording.spec, spec)) return;
  recording.notBeforeMs = performance.now() + retryMs;
  if (recording.current) await stopRefused(recording, recording.current);
  recording.onReport({ kind: 'refused', refusal });
}

/** Reports what was captured so far; counting starts again from 0. */
async function stopRefused(recording: RecorderState, current: Capture): Promise<void> {
  await Promise.all([recording.replaced?.stop('flush'), current.stop('flush')]);
  collectEnded(recording);
  recording.onReport({ kind: 'stopped', why: 'Refused', totals: recording.endedTotals });
  recording.earlier = addTotals(recording.earlier ?? noTotals, recording.endedTotals);
  recording.endedTotals = noTotals;
}

/**
 * Adds what was requested before, once for each size, however often a request changes back and forth. The newest entry
 * stays: a measurement that is under way ends the ones from before it, and knows nothing of what was written since.
 */
function addFormer(
  recording: RecorderState,
  { former, requested }: { readonly former: CaptureSpec; readonly requested: CaptureSpec },
): void {
  if (ringBytes(former) === ringBytes(requested)) return;
  const others = recording.formerSpecs.filter(
    ({ files, fileMegabytes }) => files !== former.files || fileMegabytes !== former.fileMegabytes,
  );
  recording.formerSpecs = [...others, former];
}

/** Measures what was written for earlier requests, once no tcpdump writes for them any more. Never rejects. */
async function measureFormer(recording: RecorderState): Promise<void> {
  const { formerSpecs, spec, current, replaced, pruning, measure, log } = recording;
  // A tcpdump whose file size is still right keeps running, and the pruning deletes its files beyond N.
  const isWritten = ({ fileMegabytes }: CaptureSpec) =>
    fileMegabytes !== spec.fileMegabytes &&
    [current, replaced].some((capture) => capture?.spec.fileMegabytes === fileMegabytes);
  const over = new Set(formerSpecs.filter((former) => !isWritten(former)));
  if (over.size === 0) return;
  try {
    await pruning.settled();
    await measure();
    recording.formerSpecs = recording.formerSpecs.filter((former) => !over.has(former));
  } catch (error) {
    log.warn({ err: error }, 'failed to measure captures after a change');
    clearTimeout(recording.measureRetry);
    if (recording.phase !== 'ended') {
      recording.measureRetry = setTimeout(() => void measureFormer(recording), measureRetryMs);
    }
  }
}

function fail(recording: RecorderState, message: string): void {
  recording.notBeforeMs = performance.now() + recording.retryDelay.next();
  recording.onReport({ kind: 'failed', message });
}

/**
 * Removes the captures that have ended from the recording, and adds their totals to it. Returns what the end of one has
 * shown to be impossible.
 */
function collectEnded(recording: RecorderState): Impossible | undefined {
  const { replaced, current } = recording;
  if (replaced?.ending()) {
    recording.endedTotals = addTotals(recording.endedTotals, replaced.totals());
    recording.replaced = undefined;
    void measureFormer(recording);
  }
  const ending = current?.ending();
  if (!current || !ending) return undefined;
  recording.endedTotals = addTotals(recording.endedTotals, current.totals());
  recording.current = recording.replaced;
  recording.replaced = undefined;
  void measureFormer(recording);
  return conclude(recording, current, ending);
}

/** What the end of the newest capture means for the next start. */
function conclude(
  recording: RecorderState,
  { spec, network, listeningMs }: Capture,
  { cause, message }: Ending,
): Impossible | undefined {
  const nowMs = performance.now();
  if (nowMs - (listeningMs() ?? nowMs) > healthyMs) recording.retryDelay.reset();
  if (cause === 'stopped' || cause === 'interfaceGone') {
    recording.goneSandbox = { sandboxId: network.sandboxId, untilMs: nowMs + networkEndMs };
    return undefined;
  }
  // The Pod's own interface is missing only while its network is being deleted, which is a failure to retry.
  if (cause === 'noSuchDevice' && spec.interface !== podInterface) {
    return { refusal: noSuchInterface(spec.interface, interfaceRetryMs), spec, retryMs: interfaceRetryMs };
  }
  fail(recording, message);
  return undefined;
}

async function findNetwork({ networks, pod, networkUid, log }: RecorderState): Promise<Network | undefined> {
  try {
    return await networks.find({ ...pod, uid: networkUid });
  } catch (error) {
    log.warn({ err: error }, 'failed to find the Pod network');
    return undefined;
  }
}

/** Of this recorder's captures, those that run as well. */
function totalsSoFar({ endedTotals, current, replaced }: RecorderState): Totals {
  return [current, replaced].reduce(
    (sum, capture) => (capture ? addTotals(sum, capture.totals()) : sum),
    endedTotals,
  );
}

function capturedMs(recording: RecorderState): number {
  const { earlier = noTotals, current, replaced, endedTotals } = recording;
  const listeningMs = current?.listeningMs();
  const runningMs = listeningMs === undefined ? 0 : performance.now() - listeningMs;
  return earlier.capturedMs + endedTotals.capturedMs + (replaced?.totals().capturedMs ?? 0) + runningMs;
}
