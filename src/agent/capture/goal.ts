import type { Network } from '../netns/cni-entry.ts';
import type { StopReason } from '../observability/capture-status.ts';
import type { Refusal } from '../planner/refusals.ts';
import {
  alive,
  type Desired,
  filterKey,
  isInFlight,
  type Memory,
  type Observed,
  type OngoingState,
  type Outcome,
  type RingSpec,
  type Step,
  startKey,
} from './pod-state.ts';

/** What must hold now, whatever it was derived from. */
export type Goal =
  /** Every ring is captured, until that time at the latest. */
  | { readonly kind: 'run'; readonly rings: readonly RingSpec[]; readonly untilMs?: number }
  /** Nothing runs, and the recording is closed. */
  | { readonly kind: 'stop'; readonly why: StopReason; readonly after: AfterStop };

type AfterStop =
  | { readonly kind: 'nothing' | 'markEnded' | 'unmarkEnded' }
  | { readonly kind: 'report'; readonly refusal: Refusal; readonly untilMs: number }
  | { readonly kind: 'erase'; readonly step: Step };

/** Returns what must hold now for that Pod. Pure. */
export function goalOf(desired: Desired, observed: Observed): Goal {
  if (desired.kind !== 'erase') return ongoingGoal(desired, desired, observed);
  const { revision, why, meanwhile } = desired;
  // Whatever the reason: Events have no other one for deleted files.
  const stopped = { kind: 'stop', why: 'AnnotationRemoved' } as const;
  if (mayErase(desired, observed))
    return { ...stopped, after: { kind: 'erase', step: { kind: 'erase', why } } };
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
      const refused = refusalInForce(state.rings, { revision }, observed);
      if (!refused) return { kind: 'run', rings: state.rings };
      const { refusal, notBeforeMs: untilMs } = refused;
      return { kind: 'stop', why: 'Refused', after: { kind: 'report', refusal, untilMs } };
    }
    case 'finish':
      return hasFinished(state, { revision }, observed)
        ? { kind: 'stop', why: 'PodEnded', after: { kind: 'markEnded' } }
        : { kind: 'run', rings: state.rings, untilMs: state.untilMs };
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

/** What only an attempt has shown to be impossible. A request that has changed since is tried again. */
function refusalInForce(
  rings: readonly RingSpec[],
  { revision }: Revision,
  { memory: { outcomes }, nowMs }: Observed,
): (Outcome & { readonly kind: 'refused' }) | undefined {
  for (const ring of rings) {
    // What was found out about a filter holds for every request with this filter.
    const check = ring.filter === undefined ? undefined : outcomes.get(filterKey(ring.filter));
    if (check?.kind === 'refused') return check;
    const start = outcomes.get(startKey(ring));
    if (start?.kind === 'refused' && start.forRevision === revision && nowMs < start.notBeforeMs)
      return start;
  }
  return undefined;
}

/** Whether the captures of an ended Pod are over: it has no network any more, or only the rest of one. */
function hasFinished(
  { rings, untilMs }: OngoingState & { readonly kind: 'finish' },
  revision: Revision,
  observed: Observed,
): boolean {
  const { nowMs, network, recording, memory } = observed;
  // It ends what runs, and begins nothing.
  if (!recording || nowMs >= untilMs || refusalInForce(rings, revision, observed)) return true;
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
