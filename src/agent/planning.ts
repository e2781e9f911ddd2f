import type { Logger } from 'pino';
import type { Clock } from '../base/clock.ts';
import { every, throttle, wakeAt } from '../base/timers.ts';
import type { Change } from '../kubernetes/list-watch.ts';
import type { Pod } from '../kubernetes/pod.ts';
import type { PodLoops } from './capture/pod-loops.ts';
import type { Progress } from './observability/progress.ts';
import type { RequestLimits } from './planner/annotations.ts';
import type { Capacity } from './planner/capacity.ts';
import { type CapturePolicy, parsePolicy } from './planner/capture-policy.ts';
import type { Decision, Plan, Wait } from './planner/decisions.ts';
import type { NodeState, PlanLimits } from './planner/node-state.ts';
import { observedDisk } from './planner/observed-disk.ts';
import { plan, planAbout } from './planner/plan.ts';
import { type PodsByUid, podsAfter } from './planner/pods-by-uid.ts';
import {
  crowdedNamespaces,
  mostCountingPolicies,
  type Policies,
  type PolicyChange,
  policiesAfter,
  policyFor,
  rememberedPolicies,
} from './planner/policies.ts';
import { isForLackOfCapacity } from './planner/refusals.ts';
import type { CaptureFolders } from './storage/capture-folders.ts';
import type { Captured, CapturedPods } from './storage/captured-pods.ts';
import type { DiskSampling } from './storage/disk-sampling.ts';

/** Plans whenever something that the plan depends on may have changed, and keeps the Pods of this Node. */
export type Planning = Disposable & {
  /** Plans now; after that, once for all calls of the next 20 ms. */
  readonly run: () => void;
  /** Applies a change to the Pods of this Node, and plans. */
  readonly change: (change: Change<Pod>) => void;
  /** Applies a change to the policies, and plans. */
  readonly changePolicies: (change: PolicyChange) => void;
  /**
   * If the first list of Pods does not arrive within a second from now, the captures of an earlier agent continue. If that
   * of the policies does not within a minute, nothing waits for it any more.
   */
  readonly awaitFirstLists: () => void;
  /** The Pods of this Node; undefined before the first list. */
  readonly pods: () => PodsByUid | undefined;
  /** The newest plan of all listed Pods; undefined before the first list. */
  readonly latest: () => Plan | undefined;
  /** What is not listed yet, as people call it; undefined once nothing is missing. */
  readonly unlisted: () => string | undefined;
};

export type PlanningOptions = {
  readonly folders: Pick<CaptureFolders, 'states' | 'noteRequesters'>;
  readonly loops: Pick<PodLoops, 'apply' | 'recording'>;
  readonly capturedPods: Pick<CapturedPods, 'before' | 'note'>;
  readonly limits: PlanLimits;
  readonly capacity: Omit<Capacity, 'disk'>;
  readonly disk: Pick<DiskSampling, 'latest' | 'measure'>;
  /** UIDs of which somebody wants the files deleted now. */
  readonly discarded: ReadonlySet<string>;
  readonly progress: Pick<Progress, 'expect'>;
  /** How long captures wait for the first list of policies; a minute unless a test says otherwise. */
  readonly policiesWithinMs?: number;
  readonly clock: Clock;
  readonly log: Logger;
  /** Nothing is planned after it is aborted. */
  readonly signal: AbortSignal;
};

/** Many changes of Pods and folders can arrive at once; one plan serves them all. */
const minPlanIntervalMs = 20;
const firstListMs = 1_000;
/** Measuring all captures takes a fraction of this. */
const measuredWithinMs = 2_000;
/** Whatever else requests plans: a plan shows that the agent still makes them. */
const planEveryMs = 15_000;
const stuckAfterMs = 60_000;

/** Passes every plan to the loops, and notes which Pods it captures for the next agent. */
export function startPlanning(options: PlanningOptions): Planning {
  const { folders, loops, capturedPods, disk, clock, log, signal, policiesWithinMs = 60_000 } = options;
  /** As the API server lists them. */
  let listed: PodsByUid | undefined;
  /** As an earlier agent knew them: a stand-in while no list arrives. */
  let remembered: PodsByUid | undefined;
  let latest: Plan | undefined;
  let capturedBefore: ReadonlySet<string> = new Set(capturedPods.before.pods.map(({ uid }) => uid));
  const policiesBefore = rememberedPolicies(
    readPolicies(capturedPods.before.policies, options.limits),
    capturedBefore,
  );
  let policies = policiesBefore;
  const crowded = new Set<string>();
  let waits: ReadonlyMap<string, Wait> = new Map();
  /** Since when a plan waits until the captures are measured. */
  let withheldMs: number | undefined;

  const planned = options.progress.expect('planning', stuckAfterMs);
  const planAgain = wakeAt(clock, () => planning.run());
  const planning = throttle(minPlanIntervalMs, () => {
    makePlan();
    planned();
  });
  const planTimer = every(planEveryMs, async () => planning.run());

  /** Once for each namespace. */
  function sayCrowded(known: Policies): void {
    for (const namespace of crowdedNamespaces(known)) {
      if (crowded.has(namespace)) continue;
      crowded.add(namespace);
      log.warn(
        { namespace, counting: mostCountingPolicies },
        'too many CapturePolicies: only the oldest of the namespace select Pods',
      );
    }
  }

  function makePlan(): void {
    const pods = listed ?? remembered;
    if (!pods || signal.aborted) return;
    // Policies that are listed say nothing about Pods as they were.
    const known = listed ? policies : policiesBefore;
    const next = planFor({ pods, policies: known, capturedBefore, waits }, options);
    folders.noteRequesters(next.requesters);
    const nowMs = clock.nowMs();
    if (!disk.latest().isMeasured && isShorterThan(latest, next)) {
      withheldMs ??= nowMs;
      if (nowMs - withheldMs < measuredWithinMs) {
        disk.measure();
        planAgain.at(withheldMs + measuredWithinMs);
        return;
      }
    }
    withheldMs = undefined;
    waits = stillWaiting(waits, next, nowMs);
    planAgain.at(next.nextMs);
    // What is remembered may lack Pods: conclude nothing about the others.
    if (!listed) {
      loops.apply(planAbout(pods, next));
      return;
    }
    capturedBefore = stillBefore(capturedBefore, next, loops.recording());
    latest = next;
    loops.apply(next);
    capturedPods.note(captured(next, { policies, unixMs: Date.now() }, loops.recording()));
  }

  const firstListTimer = wakeAt(clock, () => {
    const { pods } = capturedPods.before;
    if (listed || pods.length === 0) return;
    log.warn({ pods: pods.length }, 'no list of Pods yet, continuing the captures of an earlier agent');
    remembered = new Map(pods.map((pod) => [pod.uid, pod]));
    planning.run();
  });

  const firstPoliciesTimer = wakeAt(clock, () => {
    if (policies.known !== 'notYet') return;
    log.warn('no list of CapturePolicies yet: until it arrives, only annotations request other captures');
    changePolicies({ kind: 'forbidden' });
  });

  function changePolicies(change: PolicyChange): void {
    const next = policiesAfter(policies, change);
    if (next === policies) return;
    policies = next;
    sayCrowded(next);
    planning.run();
  }

  return {
    run: planning.run,
    change(change) {
      listed = podsAfter(listed ?? new Map(), change);
      planning.run();
    },
    changePolicies,
    awaitFirstLists() {
      firstListTimer.at(clock.nowMs() + firstListMs);
      firstPoliciesTimer.at(clock.nowMs() + policiesWithinMs);
    },
    pods: () => listed,
    latest: () => latest,
    unlisted() {
      if (!latest) return 'the Pods of this Node';
      return policies.known === 'notYet' ? 'the CapturePolicies' : undefined;
    },
    [Symbol.dispose]() {
      for (const each of [planTimer, firstListTimer, firstPoliciesTimer, planning, planAgain])
        each[Symbol.dispose]();
    },
  };
}

function planFor(
  known: Pick<NodeState, 'pods' | 'policies' | 'capturedBefore' | 'waits'>,
  { folders, loops, capacity, disk: sampling, discarded, limits, clock }: PlanningOptions,
): Plan {
  const sample = sampling.latest();
  const { disk, deletedBytes } = observedDisk(sample, folders.states());
  return plan({
    ...known,
    folders: folders.states(),
    recording: loops.recording(),
    capacity: { ...capacity, disk },
    deletedBytes,
    heldBytes: sample.heldBytes,
    discarded,
    limits,
    nowMs: clock.nowMs(),
    unixMs: Date.now(),
  });
}

/** Whether a capture is refused, waits or is evicted for lack of capacity that was not before: measuring may find some. */
function isShorterThan(before: Plan | undefined, { decisions }: Plan): boolean {
  return [...decisions].some(([uid, decision]) => {
    const earlier = before?.decisions.get(uid);
    const waitsForPlace = decision.kind === 'wait' && decision.waitsFor === 'place';
    return isShort(decision) && !waitsForPlace && !(earlier && isShort(earlier));
  });
}

function isShort(decision: Decision): boolean {
  if (decision.kind === 'refuse') return isForLackOfCapacity(decision.refusal);
  return decision.kind === 'wait' || (decision.kind === 'delete' && decision.why === 'Evicted');
}

/** What each capture waits for, and since when, also after that was reported. */
function stillWaiting(
  before: ReadonlyMap<string, Wait>,
  { decisions }: Plan,
  nowMs: number,
): ReadonlyMap<string, Wait> {
  return new Map(
    [...decisions].flatMap(([uid, decision]) => {
      const wait = before.get(uid);
      const isNew = decision.kind === 'wait' && decision.waitsFor !== wait?.waitsFor;
      const now = isNew ? { waitsFor: decision.waitsFor, sinceMs: nowMs } : wait;
      return now && isShort(decision) ? [[uid, now] as const] : [];
    }),
  );
}

/**
 * Those that still come first: the others run by now, are refused for a reason of their own, or ask for nothing any
 * more.
 */
function stillBefore(
  capturedBefore: ReadonlySet<string>,
  { decisions }: Plan,
  recording: NodeState['recording'],
): ReadonlySet<string> {
  const isNext = (uid: string) => {
    const decision = decisions.get(uid);
    if (recording.has(uid) || decision === undefined) return false;
    return decision.kind === 'record' || decision.kind === 'unknown' || isShort(decision);
  };
  return new Set([...capturedBefore].filter(isNext));
}

/**
 * What the next agent continues with: also what this one cannot decide about yet. Of the policies, the one that applies to
 * each Pod: anyone may write a thousand others that select it.
 */
function captured(
  { decisions }: Plan,
  known: { readonly policies: Policies; readonly unixMs: number },
  recording: NodeState['recording'],
): Captured {
  const pods = [...decisions].flatMap(([uid, decision]) => {
    const isRecorded =
      decision.kind === 'record' ||
      decision.kind === 'unknown' ||
      (decision.kind === 'wait' && recording.has(uid));
    return isRecorded ? decision.pod : [];
  });
  const applied = new Set(pods.flatMap((pod) => policyFor(pod, known)?.object ?? []));
  return { pods, policies: [...applied] };
}

/** Those that this agent understands: an earlier one may have been another version. */
function readPolicies(objects: readonly object[], limits: RequestLimits): CapturePolicy[] {
  return objects.map(parsePolicy(limits)).flatMap((parsed) => (parsed.kind === 'valid' ? parsed.object : []));
}
