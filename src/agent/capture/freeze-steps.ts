import { isDeepStrictEqual } from 'node:util';
import type { CaptureSpec, FreezeRequest } from '../planner/annotations.ts';
import type { FreezeCause, FreezeLog } from '../storage/freeze-records.ts';
import type { NotedMoments } from '../storage/freezes.ts';
import { mostFilesAfterTrigger } from '../storage/ring-size.ts';
import { newMoments } from './freeze-causes.ts';
import type { Goal } from './goal.ts';
import {
  type FreezingRing,
  isFolderBusy,
  isListening,
  isRunning,
  type Observed,
  type ObservedCapture,
  type RingSpec,
  type Step,
} from './pod-state.ts';
import { newestOf, takeoverMs } from './ring-captures.ts';
import { now, type Wanted } from './wanted-steps.ts';

/** Causes within this time of the first one are of the same moment. */
const oneMomentMs = 1_000;
/** A crash loop freezes no more often. What somebody asks for is not delayed. */
const freezeEveryMs = 60_000;
/** How long a frozen ring waits for the tcpdump that continues the ring. */
const successorDueMs = 60_000;

/**
 * Ensures that a ring that is to be frozen is frozen: its captures keep everything, end when the ring is long enough,
 * and then their files are set aside. Pure.
 */
export function freezeSteps(goal: Goal, request: CaptureSpec | undefined, observed: Observed): Wanted[] {
  return [
    ...folderSteps(goal, request, observed),
    ...(goal.kind === 'run' ? heldSteps(goal, request, observed) : []),
  ];
}

/** The captures of the rings as they are from now on, without those that are being frozen. */
export function withoutHeld(observed: Observed): Observed {
  return { ...observed, captures: observed.captures.filter((capture) => !isHeld(capture, observed)) };
}

function folderSteps(goal: Goal, request: CaptureSpec | undefined, observed: Observed): Wanted[] {
  if (isFolderBusy(observed)) return [];
  const isOver = goal.kind === 'stop' && (goal.why === 'AgentStopped' || goal.after.kind === 'erase');
  // The next agent finishes it.
  if (isOver) return [];
  const moment = isResting(goal) ? restStep(observed) : recordingStep(request, observed);
  const steps = [moment, setAsideStep(observed)];
  return steps.flatMap((step) => (step ? [now(step)] : []));
}

function heldSteps(
  { rings, refused }: Goal & { readonly kind: 'run' },
  request: CaptureSpec | undefined,
  observed: Observed,
): Wanted[] {
  const { ring } = observed.freeze;
  if (!ring) return [];
  const afterMs = request?.freeze.afterMs ?? 0;
  return observed.captures.filter(isRunning).flatMap((held) => {
    if (!isHeld(held, observed)) return [];
    const { generation, spec, network } = held;
    const successor = newestOf(spec, network, withoutHeld(observed));
    // One that is refused for now is still asked for.
    const wanted = [...rings, ...refused.map((each) => each.spec)];
    const isWanted = wanted.some((each) => each.interface === spec.interface);
    const successorMs = successor && isListening(successor) ? takeoverMs(successor) : undefined;
    const files = rings[0]?.files ?? spec.files;
    const { nowMs } = observed;
    return [
      ...(held.filesSinceHeld === undefined ? [now({ kind: 'keep', generation, files: 0 })] : []),
      {
        step: { kind: 'stop', generation } as const,
        // What is not asked for any more is not captured for what follows, either.
        atMs: isWanted ? heldUntilMs(held, { ring, request: { files, afterMs }, successorMs, nowMs }) : nowMs,
      },
    ];
  });
}

/**
 * Returns the step that is due because of what has happened to the Pod: its ring is frozen, or what happened is only
 * noted. Pure.
 */
export function momentStep(request: FreezeRequest, observed: Observed): Step | undefined {
  const { freeze, nowMs } = observed;
  const { pod, log, ring, lastMs, capacity } = freeze;
  if (!observed.folder || !pod || (request.on.length === 0 && request.text === undefined && !log))
    return undefined;
  const { isPodSeen: isSeen, hasEarlierCaptures } = freeze;
  const before = {
    seen: log?.seen,
    isByEarlierAgent: !isSeen,
    hadNoText: isSeen || hasEarlierCaptures,
  };
  const { causes, seen } = newMoments(before, pod, request, freeze.bootId);
  if (isDeepStrictEqual(seen, log?.seen)) return undefined;
  const notFrozen = log?.notFrozen ?? 0;
  const noted = (more: Partial<NotedMoments> = {}) => ({ seen, notFrozen, ...more });
  if (causes.length === 0) return { kind: 'noteFreeze', log: noted(), causes };
  if (ring && nowMs - ring.sinceMs < oneMomentMs) return { kind: 'noteFreeze', log: noted(), causes };
  if (ring) return duringFreeze(causes, noted(), log);
  const isManual = causes.some(({ trigger }) => trigger === 'manual');
  const isTooSoon = !isManual && lastMs !== undefined && nowMs - lastMs < freezeEveryMs;
  // Every plan says what is left: what happened waits for the next one.
  if (!isTooSoon && capacity === undefined) return undefined;
  if (isTooSoon || capacity === 'none') {
    const why = isTooSoon ? 'TooSoon' : 'NoCapacity';
    return {
      kind: 'noteFreeze',
      log: noted({ notFrozen: notFrozen + 1 }),
      causes: [],
      notFrozen: { causes, why },
    };
  }
  return { kind: 'beginFreeze', causes, log: noted(), replacesNewest: capacity === 'replaces' };
}

function recordingStep(request: CaptureSpec | undefined, observed: Observed): Step | undefined {
  return request && observed.recording ? momentStep(request.freeze, observed) : undefined;
}

/** Whether nothing is to be captured for now, although the Pod runs. */
function isResting(goal: Goal): boolean {
  return goal.kind === 'stop' && ['Paused', 'DurationReached', 'Refused', 'NotMatched'].includes(goal.why);
}

/** While nothing is captured, what happens is only noted: it is not in the ring. What somebody asks for waits. */
function restStep({ folder, freeze: { pod, log, bootId } }: Observed): Step | undefined {
  if (!folder || !pod || !log) return undefined;
  const nothing = { on: [], afterMs: 0, text: undefined };
  const before = { seen: log.seen, isByEarlierAgent: false, hadNoText: false };
  const { seen } = newMoments(before, pod, nothing, bootId);
  if (isDeepStrictEqual(seen, log.seen)) return undefined;
  return { kind: 'noteFreeze', log: { seen, notFrozen: log.notFrozen }, causes: [] };
}

/** What somebody asks for waits until the ring is frozen; the rest is of the time that it has anyway. */
function duringFreeze(
  causes: readonly FreezeCause[],
  noted: NotedMoments,
  before: FreezeLog | undefined,
): Step | undefined {
  const { text: _later, ...seen } = noted.seen;
  const text = before?.seen.text;
  const missed = causes.filter(({ trigger }) => trigger !== 'manual');
  const log = {
    seen: text === undefined ? seen : { ...seen, text },
    notFrozen: noted.notFrozen + Math.min(1, missed.length),
  };
  if (isDeepStrictEqual(log.seen, before?.seen)) return undefined;
  const notFrozen = { causes: missed, why: 'TooSoon' } as const;
  return { kind: 'noteFreeze', log, causes: [], ...(missed.length > 0 && { notFrozen }) };
}

/** Whether a capture is of the ring that is being frozen: it is no capture of the ring any more. */
function isHeld({ generation }: Pick<ObservedCapture, 'generation'>, { freeze }: Observed): boolean {
  return freeze.ring !== undefined && generation <= freeze.ring.upTo;
}

/** When a capture that is being frozen is to be stopped, given the one that continues its ring. Pure. */
export function heldUntilMs(
  held: ObservedCapture,
  {
    ring,
    request,
    successorMs,
    nowMs,
  }: {
    readonly ring: FreezingRing;
    readonly request: Pick<RingSpec, 'files'> & { readonly afterMs: number };
    /** When its successor has captured for a moment; undefined if it does not capture yet. */
    readonly successorMs: number | undefined;
    readonly nowMs: number;
  },
): number {
  const filesSince = held.filesSinceHeld ?? 0;
  if (filesSince >= mostFilesAfterTrigger(request)) return nowMs;
  const dueMs = filesSince >= request.files ? nowMs : ring.sinceMs + request.afterMs;
  return successorMs === undefined
    ? ring.sinceMs + request.afterMs + successorDueMs
    : Math.max(dueMs, successorMs);
}

/** Sets aside the ring that is being frozen, once all its captures have ended and are accounted for. */
export function setAsideStep({ freeze, captures, ...observed }: Observed): Step | undefined {
  const { ring } = freeze;
  if (!ring || !observed.folder || captures.some((capture) => capture.generation <= ring.upTo))
    return undefined;
  return { kind: 'setAside', number: ring.number };
}
