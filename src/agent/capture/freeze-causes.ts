import type { ContainerEnd, ContainerStatus } from '../../kubernetes/container-status.ts';
import type { Pod } from '../../kubernetes/pod.ts';
import type { FreezeRequest, FreezeTrigger } from '../planner/annotations.ts';
import type { FreezeCause, SeenState } from '../storage/freeze-records.ts';

/** The parts of a Pod that can freeze its ring. */
export type PodMoments = Pick<Pod, 'phase' | 'containers' | 'deletionTimestamp'>;

/** What has happened to a Pod since it was last seen. */
export type NewMoments = {
  /** Why its ring is to be frozen; empty if nothing happened for which it was asked. */
  readonly causes: readonly FreezeCause[];
  /** The Pod as it is seen now. */
  readonly seen: SeenState;
};

export type SeenBefore = {
  /** Undefined if it was never seen: nothing that has happened so far is new. */
  readonly seen: SeenState | undefined;
  /** An earlier agent saw it. */
  readonly isByEarlierAgent: boolean;
};

/**
 * Returns what is new. Pure. A Pod that is being deleted or has completed ends as it should, and when the Node was
 * started again, all its containers ended: both freeze nothing. The kubelet alone writes this status, so it does not
 * change while a Node is lost.
 */
export function newMoments(
  { seen, isByEarlierAgent }: SeenBefore,
  pod: PodMoments,
  { on, text }: FreezeRequest,
  bootId: string,
): NewMoments {
  const now = seenNow(pod, text ?? seen?.text, bootId);
  if (!seen || seen.bootId !== bootId) return { causes: [], seen: now };
  const isMeant = pod.deletionTimestamp !== undefined || pod.phase === 'Succeeded';
  const happened = isMeant
    ? []
    : [...pod.containers.flatMap((each) => containerCause(seen, each, on) ?? []), ...failure(seen, pod, on)];
  const causes = isByEarlierAgent ? happened.map((cause) => ({ ...cause, isLate: true as const })) : happened;
  return { causes: [...causes, ...request(seen, text)], seen: now };
}

function seenNow({ phase, containers }: PodMoments, text: string | undefined, bootId: string): SeenState {
  const seen = containers.map(({ name, restarts, isReady, lastEnd }) => [
    name,
    { restarts, isReady, ...(lastEnd && { lastEnd: lastEnd.id }) },
  ]);
  return { bootId, phase, containers: Object.fromEntries(seen), ...(text !== undefined && { text }) };
}

function containerCause(
  { containers }: SeenState,
  container: ContainerStatus,
  on: readonly FreezeTrigger[],
): FreezeCause | undefined {
  const { name, restarts, isReady, lastEnd, mayComplete } = container;
  const before = Object.hasOwn(containers, name) ? containers[name] : undefined;
  // Its first start is no restart.
  const hasRestarted = restarts > (before?.restarts ?? 0);
  const hasEnded = lastEnd ? lastEnd.id !== before?.lastEnd : hasRestarted;
  if (hasEnded) {
    if (lastEnd && lastEnd.exitCode === 0 && mayComplete) return undefined;
    const trigger = endTrigger(lastEnd?.reason, on);
    return trigger && { trigger, container: name, ...(lastEnd && detailsOf(lastEnd)) };
  }
  const hasCompleted = lastEnd?.exitCode === 0 && mayComplete;
  if (before?.isReady && !isReady && !hasCompleted && on.includes('not-ready'))
    return { trigger: 'not-ready', container: name };
  return undefined;
}

function detailsOf({ exitCode, reason, finishedAt }: ContainerEnd): Partial<FreezeCause> {
  return { exitCode, reason, ...(finishedAt !== undefined && { finishedAt }) };
}

/** A container that has ended is not ready either. */
function endTrigger(reason: string | undefined, on: readonly FreezeTrigger[]): FreezeTrigger | undefined {
  const triggers: readonly FreezeTrigger[] =
    reason === 'OOMKilled' ? ['oom-killed', 'restart', 'not-ready'] : ['restart', 'not-ready'];
  return triggers.find((trigger) => on.includes(trigger));
}

function failure(before: SeenState, { phase }: PodMoments, on: readonly FreezeTrigger[]): FreezeCause[] {
  const hasFailed = phase === 'Failed' && before.phase !== 'Failed';
  return hasFailed && on.includes('failed') ? [{ trigger: 'failed' }] : [];
}

function request(before: SeenState, text: string | undefined): FreezeCause[] {
  return text === undefined || text === before.text ? [] : [{ trigger: 'manual', text }];
}
