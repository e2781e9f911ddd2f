import type { ContainerEnd, ContainerStatus } from '../../kubernetes/container-status.ts';
import type { Pod } from '../../kubernetes/pod.ts';
import type { FreezeRequest, FreezeTrigger } from '../planner/annotations.ts';
import type { FreezeCause, SeenState } from '../storage/freeze-records.ts';

/** The parts of a Pod that can freeze its ring. */
export type PodMoments = Pick<Pod, 'phase' | 'reason' | 'containers' | 'deletionTimestamp'>;

/** What has happened to a Pod since it was last seen. */
export type NewMoments = {
  /** Why its ring is to be frozen; empty if nothing happened for which it was asked. */
  readonly causes: readonly FreezeCause[];
  /** The Pod as it is seen now. */
  readonly seen: SeenState;
};

export type SeenBefore = {
  /** Undefined if nothing was taken into account yet. */
  readonly seen: SeenState | undefined;
  /** An earlier agent saw it, and this one has not yet. */
  readonly isByEarlierAgent: boolean;
  /** It was captured before without a text: if there is one now, somebody has asked. */
  readonly hadNoText: boolean;
};

/**
 * Returns what is new. Pure. A Pod that is being deleted, has completed, or ends with its Node ends as it should, and when
 * the Node was started again, all its containers have ended: none of this freezes anything. What somebody asks for does.
 * The kubelet alone writes this status, so it does not change while a Node is lost.
 */
export function newMoments(
  before: SeenBefore,
  pod: PodMoments,
  { on, text }: FreezeRequest,
  bootId: string,
): NewMoments {
  const { seen } = before;
  const now = seenNow(seen, pod, text ?? seen?.text, bootId);
  if (!seen) return { causes: before.hadNoText ? request(undefined, text) : [], seen: now };
  if (seen.bootId !== bootId) return { causes: request(seen.text, text), seen: now };
  const happened = isMeantToEnd(pod)
    ? []
    : [...pod.containers.flatMap((each) => containerCause(seen, each, on) ?? []), ...failure(seen, pod, on)];
  const causes = before.isByEarlierAgent
    ? happened.map((cause) => ({ ...cause, isLate: true as const }))
    : happened;
  return { causes: [...causes, ...request(seen.text, text)], seen: now };
}

/** The kubelet's words in the status of a Pod that ends with its Node. */
const nodeShutdownReasons: ReadonlySet<string> = new Set(['Terminated', 'NodeShutdown']);

/** When the containers of a Job have completed, the kubelet ends its sidecars. */
function isMeantToEnd({ phase, reason, containers, deletionTimestamp }: PodMoments): boolean {
  const main = containers.filter(({ kind }) => kind === 'main');
  const haveCompleted = main.length > 0 && main.every(({ hasCompleted }) => hasCompleted);
  const endsWithNode = reason !== undefined && nodeShutdownReasons.has(reason);
  return deletionTimestamp !== undefined || phase === 'Succeeded' || haveCompleted || endsWithNode;
}

type SeenContainer = SeenState['containers'][number];

function seenNow(
  seen: SeenState | undefined,
  { phase, containers }: PodMoments,
  text: string | undefined,
  bootId: string,
): SeenState {
  const hasRebooted = seen !== undefined && seen.bootId !== bootId;
  const now = containers.map((container): SeenContainer => {
    const { name, restarts, isReady, lastEnd } = container;
    const known = knownOf(seen, name);
    const awaitsStart =
      known !== undefined && restarts === known.restarts && (hasRebooted || known.awaitsStart);
    return {
      name,
      restarts,
      isReady,
      ...(lastEnd && { lastEnd: lastEnd.id }),
      ...(awaitsStart && { awaitsStart: true }),
    };
  });
  // The kubelet may leave out a container for a moment.
  const others = (seen?.containers ?? []).filter(
    ({ name }) => !containers.some((each) => each.name === name),
  );
  return { bootId, phase, containers: [...now, ...others], ...(text !== undefined && { text }) };
}

function knownOf(seen: SeenState | undefined, name: string): SeenContainer | undefined {
  return seen?.containers.find((each) => each.name === name);
}

function containerCause(
  seen: SeenState,
  container: ContainerStatus,
  on: readonly FreezeTrigger[],
): FreezeCause | undefined {
  const { name, restarts, isReady, lastEnd, mayComplete } = container;
  const before = knownOf(seen, name);
  if (before?.awaitsStart) return undefined;
  // Its first start is no restart.
  const hasRestarted = restarts > (before?.restarts ?? 0);
  const hasEnded = lastEnd ? lastEnd.id !== before?.lastEnd : hasRestarted;
  const hasCompleted = lastEnd?.exitCode === 0 && mayComplete;
  if (hasEnded) {
    if (hasCompleted) return undefined;
    const trigger = endTrigger(lastEnd?.reason, on);
    return trigger && { trigger, container: name, ...(lastEnd && detailsOf(lastEnd)) };
  }
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

function request(before: string | undefined, text: string | undefined): FreezeCause[] {
  return text === undefined || text === before ? [] : [{ trigger: 'manual', text }];
}
