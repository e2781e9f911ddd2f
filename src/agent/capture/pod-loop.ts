import { isDeepStrictEqual } from 'node:util';
import { type Backoff, backoff } from '../../base/backoff.ts';
import type { Clock } from '../../base/clock.ts';
import { type Coalesced, coalesced } from '../../base/coalesced.ts';
import { longestTimeoutMs } from '../../base/timers.ts';
import { longestEndMs, networkUidOf, type Pod } from '../../kubernetes/pod.ts';
import { podInterface } from '../netns/pod-interface.ts';
import type { PodNetworks } from '../netns/pod-networks.ts';
import type { CaptureStatus } from '../observability/capture-status.ts';
import type { Decision } from '../planner/decisions.ts';
import type { FreezeCapacity } from '../planner/freeze-capacity.ts';
import type { RunningRecording } from '../planner/node-state.ts';
import type { BufferKib } from '../planner/pod-receive-rings.ts';
import type { PodName } from '../storage/capture-folders.ts';
import type { Totals } from '../storage/capture-records.ts';
import { reportOfCaptures } from './capture-report.ts';
import { hasMoved, isSameDecision, listedPod } from './decision-changes.ts';
import { desiredAfter } from './desired.ts';
import { withoutHeld } from './freeze-steps.ts';
import { goalOf } from './goal.ts';
import type { Handovers } from './handovers.ts';
import { nextSteps } from './next-steps.ts';
import { observeNetwork } from './observe-network.ts';
import { observedFreeze } from './observed-freeze.ts';
import { observedReceiveRings } from './observed-receive-rings.ts';
import { type PodHandovers, podHandovers } from './pod-handovers.ts';
import { afterCapture, afterStep, conclude, forgetFilters, noMemory } from './pod-memory.ts';
import type { PodRecording } from './pod-recording.ts';
import {
  type Desired,
  type DesiredState,
  keyOf,
  type Memory,
  type Observed,
  type ObservedCapture,
  type ObservedNetwork,
  requestIn,
  ringsOf,
  type Step,
  type StepKey,
  type StepResult,
  startKey,
} from './pod-state.ts';
import { withFreezes } from './recording-sizes.ts';
import { type LastingStep, runStep } from './run-step.ts';
import type { PodContext, StepOptions } from './step-context.ts';

/** Ensures that what runs for one Pod UID, and what is on disk, matches the newest decision about it. */
export type PodLoop = AsyncDisposable & {
  /**
   * Without a decision, what runs ends with its Pod. `bufferKib` are the sizes of its captures' receive rings, and
   * `freezeCapacity` says whether its ring may be frozen; without them, they stay as they are. `isFromMemory`: the Pod is
   * as it was once, and says nothing about what happens to it.
   */
  readonly decide: (
    decision: Decision | undefined,
    more?: {
      readonly bufferKib?: BufferKib;
      readonly freezeCapacity?: FreezeCapacity;
      readonly isFromMemory?: true;
    },
  ) => void;
  /** How long the Pod has been captured by now, and what is written; undefined while nothing is recorded. */
  readonly recording: () => LoopRecording | undefined;
  /** What each running capture has counted by now, by generation. Never rejects. */
  readonly freshTotals: () => Promise<ReadonlyMap<number, Totals>>;
};

/** `openedMs`: when it was opened, by performance.now(). */
export type LoopRecording = RunningRecording & { readonly openedMs: number };

export type PodLoopOptions = StepOptions & {
  readonly networks: PodNetworks;
  /** Whether a capture may start beside the one that it replaces, and notice that one does. */
  readonly handovers: Handovers;
  /** What the plan uses. */
  readonly clock: Clock;
};

/** A tcpdump that captured for this long was healthy: after its failure, the shortest delay applies again. */
const healthyMs = 30_000;

/** Starts with no decision. `onIdle` is called when nothing is left to do and there is no decision: it can be dropped. */
export function startPodLoop(uid: string, options: PodLoopOptions, onIdle: () => void): PodLoop {
  const loop = newLoop(uid, options, onIdle);
  return {
    decide(
      decision,
      { isFromMemory, bufferKib = loop.bufferKib, freezeCapacity = loop.freezeCapacity } = {},
    ) {
      if (loop.isEnding) return;
      const listed = (isFromMemory ? undefined : listedPod(decision)) ?? loop.listed;
      const isNews = freezeCapacity !== loop.freezeCapacity || hasMoved(loop.listed, listed);
      loop.freezeCapacity = freezeCapacity;
      loop.listed = listed;
      const isSame = isSameDecision(loop.decision, decision) && isDeepStrictEqual(bufferKib, loop.bufferKib);
      loop.decision = decision;
      loop.bufferKib = bufferKib;
      if (decision?.kind === 'record') loop.known = decision.pod;
      if (isSame) {
        if (isNews) loop.ticking.run();
        return;
      }
      if (decision?.pod) loop.pod = decision.pod;
      if (decision?.kind === 'keep' && !loop.recording) forgetProblem(loop);
      const times = { longestEndMs: loop.known ? longestEndMs(loop.known) : 0, nowMs: performance.now() };
      desire(loop, desiredAfter(loop.desired, decision, { bufferKib, ...times }));
    },
    recording() {
      const { recording } = loop;
      if (!recording) return undefined;
      const capturedMs = recording.capturedMs() ?? options.folders.states().get(uid)?.capturedMs ?? 0;
      return {
        openedMs: loop.openedMs,
        capturedMs,
        atMs: options.clock.nowMs(),
        ...withFreezes(recording.sizes(), {
          freezes: options.folders.states().get(uid)?.freezes,
          request: requestIn(loop.desired),
          freezeCapacity: loop.freezeCapacity,
        }),
        receiveRings: observedReceiveRings(observe(loop), { nowMs: options.clock.nowMs() }),
      };
    },
    freshTotals: async () => (await loop.recording?.freshTotals()) ?? new Map(),
    async [Symbol.asyncDispose]() {
      loop.isEnding = true;
      const idle = Promise.withResolvers<void>();
      loop.onIdle = idle.resolve;
      desire(loop, { kind: 'rest', why: { kind: 'agentStopped' } });
      for (const { aborting, step } of loop.inFlight.values()) {
        if (isAbortedAtEnd(step)) aborting.abort();
      }
      await idle.promise;
    },
  };
}

/** Everything that changes; only the functions below write here. */
type Loop = {
  readonly uid: string;
  readonly options: PodLoopOptions;
  readonly ticking: Coalesced;
  onIdle: () => void;
  isEnding: boolean;
  decision: Decision | undefined;
  bufferKib: BufferKib;
  desired: Desired;
  pod: PodName;
  /** The Pod as it was last seen; undefined before it is to be captured. */
  known: Pod | undefined;
  /** The Pod as it was last listed, whether it is to be captured or not. */
  listed: Pod | undefined;
  /** What happens to the Pod has been looked at. */
  isPodSeen: boolean;
  /** Undefined from the moment when its ring is frozen until a plan knows what is left. */
  freezeCapacity: FreezeCapacity | undefined;
  network: ObservedNetwork;
  recording: PodRecording | undefined;
  openedMs: number;
  readonly handovers: PodHandovers;
  unsubscribe: () => void;
  readonly inFlight: Map<StepKey, { readonly step: LastingStep; readonly aborting: AbortController }>;
  readonly delays: Map<StepKey, Backoff>;
  memory: Memory;
  timer: NodeJS.Timeout | undefined;
  /** What was reported last. */
  reported: CaptureStatus | undefined;
};

function newLoop(uid: string, options: PodLoopOptions, onIdle: () => void): Loop {
  const loop: Loop = {
    uid,
    options,
    ticking: coalesced(
      () => tick(loop),
      (error) => options.log.error({ ...fieldsOf(loop), err: error }, 'failed to choose the next steps'),
    ),
    onIdle,
    isEnding: false,
    decision: undefined,
    bufferKib: new Map(),
    desired: { revision: 0, kind: 'rest', why: { kind: 'unknown' } },
    pod: { namespace: '', name: '', uid },
    known: undefined,
    listed: undefined,
    isPodSeen: false,
    freezeCapacity: undefined,
    network: { kind: 'absent', problem: '', sinceMs: performance.now() },
    recording: undefined,
    openedMs: 0,
    handovers: podHandovers(options),
    unsubscribe: () => {},
    inFlight: new Map(),
    delays: new Map(),
    memory: noMemory,
    timer: undefined,
    reported: undefined,
  };
  return loop;
}

function desire(loop: Loop, state: DesiredState): void {
  const before = loop.desired;
  loop.desired = { ...state, revision: before.revision + 1 };
  const rings = ringsOf(loop.desired);
  if (rings.length > 0) loop.recording?.request(rings);
  loop.memory = forgetFilters(loop.memory, before, loop.desired);
  loop.ticking.run();
}

/** Observes, and begins the steps that are due. It waits for none of them. */
async function tick(loop: Loop): Promise<void> {
  clearTimeout(loop.timer);
  const isNeeded = loop.recording !== undefined || ringsOf(loop.desired).length > 0;
  loop.network = await observeNetwork(loop.network, isNeeded ? loop.known : undefined, loop.options);
  loop.handovers.end(ringsOf(loop.desired), withoutHeld(observe(loop)));
  const { steps, wakeAtMs, report } = nextSteps(loop.desired, observe(loop));
  // A Pod that is being deleted gets no other network.
  const isDue = report?.kind !== 'waiting' || report.problem === undefined || !isBeingDeleted(loop);
  // The end of the recording has said so.
  const isKnown = report?.kind === 'paused' && isPaused(loop.reported);
  if (report && isDue && !isKnown && !isDeepStrictEqual(report, loop.reported)) reportStatus(loop, report);
  // With a recording, every step looks at what has happened.
  loop.isPodSeen ||= loop.recording !== undefined && loop.listed !== undefined;
  for (const step of steps) begin(loop, step);
  if (wakeAtMs !== undefined) {
    const ms = Math.min(longestTimeoutMs, Math.max(0, wakeAtMs - performance.now()));
    loop.timer = setTimeout(loop.ticking.run, ms);
  }
  if (isIdle(loop) && wakeAtMs === undefined) loop.onIdle();
}

function isPaused(status: CaptureStatus | undefined): boolean {
  return status?.kind === 'paused' || (status?.kind === 'stopped' && status.why === 'Paused');
}

function isBeingDeleted({ known }: Loop): boolean {
  return known?.deletionTimestamp !== undefined;
}

function isIdle({ decision, isEnding, recording, inFlight }: Loop): boolean {
  return (isEnding || decision === undefined) && !recording && inFlight.size === 0;
}

function observe(loop: Loop): Observed {
  const { uid, options, network, recording, inFlight, memory } = loop;
  const folder = options.folders.states().get(uid);
  const [ring] = ringsOf(loop.desired);
  return {
    nowMs: performance.now(),
    network,
    spareRings: ring ? options.handovers.spareRings(ring) : 0,
    captures: recording?.captures() ?? [],
    folder: folder && {
      hasEndOfPod: folder.endedMs !== undefined,
      isOnlyFrozen: folder.frozenBytes > 0 && folder.frozenBytes === folder.bytes,
    },
    recording: recording && { formerSizes: recording.sizes().formerSizes },
    inFlight: new Map([...inFlight].map(([key, { step }]) => [key, step])),
    memory,
    freeze: observedFreeze(folder?.freezes, {
      pod: loop.listed,
      isPodSeen: loop.isPodSeen,
      hasEarlierCaptures: (folder?.files ?? 0) > 0,
      capacity: loop.freezeCapacity,
      clock: options.clock,
    }),
  };
}

/** Starts a step; when it is over, the loop looks again. */
function begin(loop: Loop, step: Step): void {
  if (step.kind === 'account') {
    account(loop, step.generation);
    return loop.ticking.run();
  }
  if (step.kind === 'cancel') return loop.inFlight.get(step.key)?.aborting.abort();
  if (step.kind === 'start')
    loop.handovers.begin(step.spec, ringsOf(loop.desired), withoutHeld(observe(loop)));
  const aborting = new AbortController();
  loop.inFlight.set(keyOf(step), { step, aborting });
  void carryOut(loop, step, aborting.signal);
}

/** Never rejects. */
async function carryOut(loop: Loop, step: LastingStep, signal: AbortSignal): Promise<void> {
  const { revision: forRevision } = loop.desired;
  const { options } = loop;
  const result = await orAborted(runStep(step, contextOf(loop), options, signal), signal).catch(
    (error: unknown): StepResult | undefined => {
      if (signal.aborted) return undefined;
      options.log.error({ ...fieldsOf(loop), step: step.kind, err: error }, 'failed to carry out a step');
      return { kind: 'failed', message: error instanceof Error ? error.message : String(error) };
    },
  );
  loop.inFlight.delete(keyOf(step));
  if (result) note(loop, step, forRevision, result);
  loop.ticking.run();
}

/** The work, until the signal: what is waited for may not know the signal. */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener('abort', abort);
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** Remembers how a step ended: the next steps depend on it. */
function note(loop: Loop, step: LastingStep, forRevision: number, result: StepResult): void {
  // The capacity for it is used up: the next plan knows whether there is more.
  if (step.kind === 'beginFreeze' && result.kind === 'done') loop.freezeCapacity = undefined;
  const key = keyOf(step);
  // A tcpdump that has started can still fail at once.
  if (result.kind === 'done' && step.kind !== 'start') loop.delays.delete(key);
  const delayMs = result.kind === 'failed' ? delayOf(loop, key).next() : 0;
  const end = { key, kind: step.kind, forRevision, nowMs: performance.now(), delayMs };
  loop.memory = afterStep(loop.memory, end, result);
  if (result.kind === 'failed' && isAttempt(step.kind)) reportStatus(loop, result);
}

/** Steps without which nothing is captured. */
function isAttempt(kind: Step['kind']): boolean {
  return kind === 'open' || kind === 'checkFilter' || kind === 'start';
}

/** Steps that nothing waits for when the agent ends. */
function isAbortedAtEnd({ kind }: LastingStep): boolean {
  return kind === 'checkFilter' || kind === 'askWhetherToErase';
}

function delayOf({ delays }: Loop, key: StepKey): Backoff {
  const delay = delays.get(key) ?? backoff();
  delays.set(key, delay);
  return delay;
}

/** Draws the conclusion from the end of a capture, and adds its counts to the recording's. */
function account(loop: Loop, generation: number): void {
  const observed = observe(loop);
  const last = loop.recording?.account(generation);
  if (last?.phase.kind !== 'ended') return;
  const nowMs = performance.now();
  const { listeningMs = nowMs, spec } = last;
  if (nowMs - listeningMs > healthyMs) loop.delays.delete(startKey(spec));
  const conclusion = conclude(last, last.phase.ending, loop.desired, observed);
  const delayMs = conclusion.kind === 'failed' ? delayOf(loop, startKey(spec)).next() : 0;
  const { revision: forRevision } = loop.desired;
  loop.memory = afterCapture(loop.memory, last, conclusion, { forRevision, nowMs, delayMs });
  if (conclusion.kind === 'failed') reportStatus(loop, conclusion);
  // A Pod can lose any other interface while it runs.
  if (conclusion.kind === 'sandboxGone' && spec.interface === podInterface)
    loop.options.networks.forget(last.network);
}

function contextOf(loop: Loop): PodContext {
  const { pod, options, ticking } = loop;
  return {
    pod,
    request: () => requestIn(loop.desired),
    rings: () => ringsOf(loop.desired),
    recording: () => loop.recording,
    opened(recording) {
      loop.recording = recording;
      loop.openedMs = performance.now();
      if (loop.known) loop.unsubscribe = options.networks.onChange(networkUidOf(loop.known), ticking.run);
    },
    closed() {
      loop.recording = undefined;
      loop.unsubscribe();
    },
    report: (status) => reportStatus(loop, status),
    listening: (capture) => reportListening(loop, capture),
    onChange: ticking.run,
  };
}

function reportStatus(loop: Loop, status: CaptureStatus): void {
  loop.reported = status;
  loop.options.status.report(loop.pod, status);
}

/** At once: it can end before the loop looks again. */
function reportListening(loop: Loop, capture: ObservedCapture): void {
  const observed = observe(loop);
  const goal = goalOf(loop.desired, observed);
  const rings = goal.kind === 'run' ? goal : { rings: ringsOf(loop.desired), refused: [] };
  const captures = observed.captures.map((other) =>
    other.generation === capture.generation ? { ...capture, phase: { kind: 'listening' } as const } : other,
  );
  const report = reportOfCaptures(rings, captures, requestIn(loop.desired));
  if (report) reportStatus(loop, report);
}

/** What was refused or failed before is no problem any more: nothing is requested, and the files are only kept. */
function forgetProblem(loop: Loop): void {
  if (!loop.reported || loop.reported.kind === 'stopped') return;
  loop.reported = undefined;
  loop.options.status.forget(loop.uid);
}

function fieldsOf({ pod: { namespace, name, uid } }: Loop) {
  return { namespace, pod: name, uid };
}
