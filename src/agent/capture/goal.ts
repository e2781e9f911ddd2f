import type { Network } from '../netns/cni-entry.ts';
import type { StopReason } from '../observability/recording-report.ts';
import { joinedRefusals, type Refusal } from '../planner/refusals.ts';
import {
  alive,
  type Desired,
  filterKey,
  isInFlight,
  type Memory,
  type Observed,
  type OngoingState,
  type RingSpec,
  type Step,
  startKey,
} from './pod-state.ts';

/** What must hold now, whatever it was derived from. */
export type Goal =
  /** Every one of these rings is captured, until that time at the latest. At least one, unless none was asked for. */
  | {
      readonly kind: 'run';
      readonly rings: readonly RingSpec[];
      /** Those that are refused alone, in the order in which they are asked for. */
      readonly refused: readonly RefusedRing[];
      readonly untilMs?: number;
    }
  /** Nothing runs, and the recording is closed. */
  | { readonly kind: 'stop'; readonly why: StopReason; readonly after: AfterStop };

/** The other rings of the Pod are captured. */
export type RefusedRing = {
  readonly spec: RingSpec;
  readonly refusal: Refusal;
  /** When it is tried again. */
  readonly untilMs: number;
};

type AfterStop =
  | { readonly kind: 'nothing' | 'markEnded' | 'unmarkEnded' }
  | { readonly kind: 'report'; readonly refusal: Refusal; readonly untilMs: number }
  | { readonly kind: 'erase'; readonly step: Step };

/** Returns what must hold now for that Pod. Pure. */
export function goalOf(desired: Desired, observed: Observed): Goal {
  if (desired.kind !== 'erase') return ongoingGoal(desired, desired, observed);
  const { revision, why, keepsFrozen, meanwhile } = desired;
  // Whatever the reason: Events have no other one for deleted files.
  const stopped = { kind: 'stop', why: 'AnnotationRemoved' } as const;
  if (mayErase(desired, observed))
    return { ...stopped, after: { kind: 'erase', step: { kind: 'erase', why, keepsFrozen } } };
  // What has been closed is not opened again.
  if (!observed.recording) return { ...stopped, after: { kind: 'nothing' } };
  return ongoingGoal(meanwhile, { revision }, observed);
}

/** Whether there is anything to be deleted. */
export function isLeft({ folder, recording }: Observed): boolean {
  return folder !== undefined || recording !== undefined;
}

type Revision = Pick<Desired, 'revision'>;

function ongoingGoal(state: OngoingState, { revision }: Revision, observed: Observed): Goal {
  switch (state.kind) {
    case 'capture': {
      const refused = refusedRings(state.rings, { revision }, observed);
      const refusal = refusalOfAll(state.rings, refused);
      if (!refusal) return { kind: 'run', rings: withoutRefused(state.rings, refused), refused };
      const untilMs = Math.min(...refused.map((each) => each.untilMs));
      return { kind: 'stop', why: 'Refused', after: { kind: 'report', refusal, untilMs } };
    }
    case 'finish': {
      const refused = refusedRings(state.rings, { revision }, observed);
      const isRefused = refusalOfAll(state.rings, refused) !== undefined;
      if (isRefused || hasFinished(state, observed))
        return { kind: 'stop', why: 'PodEnded', after: { kind: 'markEnded' } };
      return {
        kind: 'run',
        rings: withoutRefused(state.rings, refused),
        refused,
        untilMs: state.untilMs,
      };
    }
    case 'rest':
      return restGoal(state);
  }
}

function restGoal({ why }: OngoingState & { readonly kind: 'rest' }): Goal {
  const stopped = { kind: 'stop' } as const;
  switch (why.kind) {
    case 'refused': {
      const { refusal } = why;
      return {
        ...stopped,
        why: 'Refused',
        after: { kind: 'report', refusal, untilMs: Number.POSITIVE_INFINITY },
      };
    }
    case 'durationReached':
      return { ...stopped, why: 'DurationReached', after: { kind: 'unmarkEnded' } };
    case 'paused':
      return { ...stopped, why: 'Paused', after: { kind: 'unmarkEnded' } };
    case 'notMatched':
      return { ...stopped, why: 'NotMatched', after: { kind: 'markEnded' } };
    case 'agentStopped':
    case 'unknown':
      return { ...stopped, why: 'AgentStopped', after: { kind: 'nothing' } };
  }
}

/**
 * The rings of which only an attempt has shown that they are impossible. A request that has changed since is tried
 * again.
 */
function refusedRings(
  rings: readonly RingSpec[],
  { revision }: Revision,
  { memory: { outcomes }, nowMs }: Observed,
): RefusedRing[] {
  return rings.flatMap((spec): RefusedRing[] => {
    // What was found out about a filter holds for every request with this filter.
    const check = spec.filter === undefined ? undefined : outcomes.get(filterKey(spec.filter));
    if (check?.kind === 'refused') return [{ spec, refusal: check.refusal, untilMs: check.notBeforeMs }];
    const start = outcomes.get(startKey(spec));
    const isInForce =
      start?.kind === 'refused' && start.forRevision === revision && nowMs < start.notBeforeMs;
    return isInForce ? [{ spec, refusal: start.refusal, untilMs: start.notBeforeMs }] : [];
  });
}

function withoutRefused(rings: readonly RingSpec[], refused: readonly RefusedRing[]): RingSpec[] {
  return rings.filter((ring) => !refused.some(({ spec }) => spec === ring));
}

/** The refusal of the Pod: that of all its rings together; undefined if one of them is not refused. */
function refusalOfAll(rings: readonly RingSpec[], refused: readonly RefusedRing[]): Refusal | undefined {
  if (refused.length === 0 || refused.length < rings.length) return undefined;
  return joinedRefusals(refused.map(({ refusal }) => refusal));
}

/** Whether the captures of an ended Pod are over: it has no network any more, or only the rest of one. */
function hasFinished({ untilMs }: OngoingState & { readonly kind: 'finish' }, observed: Observed): boolean {
  const { nowMs, network, recording, memory } = observed;
  // It ends what runs, and begins nothing.
  if (!recording || nowMs >= untilMs) return true;
  if (alive(observed).length > 0 || isInFlight(observed, 'start')) return false;
  return network.kind === 'absent' || (network.kind === 'found' && isGone(network.network, memory));
}

/** Whether only the rest of that network is left. */
export function isGone({ sandboxId }: Pick<Network, 'sandboxId'>, { goneSandbox }: Memory): boolean {
  return goneSandbox?.sandboxId === sandboxId;
}

/** Whether the API server has confirmed that the files may be deleted. */
export function mayErase({ revision }: Revision, { memory: { outcomes } }: Observed): boolean {
  const permission = outcomes.get('askWhetherToErase');
  // Permission for an older request does not count.
  return permission?.kind === 'done' && permission.forRevision === revision;
}
