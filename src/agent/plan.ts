import type { Pod } from '../kubernetes/pod.ts';
import { type CaptureSpec, type Refusal, type RequestLimits, requestOf } from './request.ts';

/** One decision per Pod UID: what should be, whatever is running now. */
export type Plan = ReadonlyMap<string, Decision>;

export type Decision =
  /** A capture runs and fills the Pod's folder. */
  | { readonly kind: 'record'; readonly pod: Pod; readonly spec: CaptureSpec }
  /** The Pod has ended: what still runs ends with its network, the files stay. */
  | { readonly kind: 'keep' }
  /** Nothing runs, the files that are there stay until the annotation goes. */
  | { readonly kind: 'refuse'; readonly pod: Pod; readonly refusal: Refusal }
  /** Nothing runs, the folder goes. */
  | { readonly kind: 'delete'; readonly pod: Pod; readonly evidence: Evidence };

/** How a Pod's state is known: a list may lie in the past, a watch event may not. */
export type Evidence = 'listed' | 'watched';

export type KnownPod = { readonly pod: Pod; readonly evidence: Evidence };

/** All that a plan is made of. */
export type NodeState = {
  /** The Pods of this Node by UID. */
  readonly pods: ReadonlyMap<string, KnownPod>;
  /** The UIDs that have a folder of captures on this Node. */
  readonly folders: ReadonlySet<string>;
  readonly limits: RequestLimits;
};

/**
 * Decides for the whole Node at once. Pure: the same state gives the same plan.
 * A Pod that neither asks for anything nor left a folder has no decision.
 */
export function plan(state: NodeState): Plan {
  const decisions = new Map<string, Decision>();
  for (const [uid, known] of state.pods) {
    const decision = decide(known, state.folders.has(uid), state.limits);
    if (decision) decisions.set(uid, decision);
  }
  for (const uid of state.folders) {
    // The Pod is gone: its last packets are what people want, so they stay.
    if (!state.pods.has(uid)) decisions.set(uid, { kind: 'keep' });
  }
  return decisions;
}

function decide(known: KnownPod, hasFolder: boolean, limits: RequestLimits): Decision | undefined {
  const { pod, evidence } = known;
  const request = requestOf(pod, limits);
  switch (request.kind) {
    case 'none':
      return hasFolder ? { kind: 'delete', pod, evidence } : undefined;
    case 'refused':
      return { kind: 'refuse', pod, refusal: { reason: request.reason, message: request.message } };
    case 'capture':
      if (!hasEnded(pod)) return { kind: 'record', pod, spec: { files: request.files } };
      return hasFolder ? { kind: 'keep' } : undefined;
  }
}

/** A Pod that is only marked for deletion still sends: it has ended when its phase says so, or when it is gone. */
function hasEnded(pod: Pod): boolean {
  return pod.phase === 'Succeeded' || pod.phase === 'Failed';
}
