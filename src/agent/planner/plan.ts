import type { Pod } from '../../kubernetes/pod.ts';
import type { FolderState } from '../storage/capture-folders.ts';
import type { Requester } from '../storage/requester.ts';
import type { CaptureSpec } from './annotations.ts';
import type { Plan, Proposal } from './decisions.ts';
import { fitToCapacity } from './fit-to-capacity.ts';
import type { NodeState } from './node-state.ts';
import { type PodRequest, policiesSelecting, requestFor } from './policies.ts';

/**
 * Decides for the whole Node at once. Pure: the same state gives the same plan. A Pod that asks for nothing and has no
 * folder gets no decision.
 */
export function plan(state: NodeState): Plan {
  const proposals = new Map<string, Proposal>();
  for (const [uid, pod] of state.pods) {
    const proposal = proposalFor(uid, pod, state);
    if (proposal) proposals.set(uid, proposal);
  }
  for (const [uid, folder] of state.folders) {
    if (!state.pods.has(uid)) proposals.set(uid, proposalForEnded(folder, state));
  }
  return { ...fitToCapacity(proposals, state), ...requestsIn(state) };
}

/** Returns only the decisions about these Pods: for Pods as they were once, which may not be all. */
export function planAbout(pods: ReadonlyMap<string, Pod>, { decisions, ...rest }: Plan): Plan {
  return { ...rest, isFromMemory: true, decisions: new Map([...decisions].filter(([uid]) => pods.has(uid))) };
}

function proposalFor(uid: string, pod: Pod, state: NodeState): Proposal | undefined {
  const folder = state.folders.get(uid);
  const request = requestFor(pod, state);
  if (request.kind === 'none' || request.kind === 'unknown') {
    return folder && proposalWithoutRequest({ pod, folder, request }, state);
  }
  if (hasEnded(pod)) return folder && proposalForEnded(folder, state, { pod });
  const proposal: Proposal =
    request.kind === 'refused'
      ? { decision: { kind: 'refuse', pod, refusal: request.refusal } }
      : proposalForCapture(uid, pod, request.spec, state);
  const { untilUnixMs } = request;
  if (untilUnixMs === undefined) return proposal;
  const expiresMs = state.nowMs + (untilUnixMs - state.unixMs);
  return { ...proposal, untilMs: Math.min(proposal.untilMs ?? expiresMs, expiresMs) };
}

/** What an annotation asked for is deleted with the annotation. What a policy asked for stays for the retention time. */
function proposalWithoutRequest({ pod, folder, request }: ForgottenFolder, state: NodeState): Proposal {
  const { policies } = state;
  const isByPolicy = folder.policy !== undefined;
  // An agent that may not list policies carries none out: one without an annotation is not to be captured.
  const isUnknown = request.kind === 'unknown' && (isByPolicy || policies.known === 'notYet');
  if (isUnknown && hasEnded(pod)) return proposalForEnded(folder, state, { pod });
  if (isUnknown) return { decision: { kind: 'unknown', pod } };
  if (!isByPolicy) return { decision: { kind: 'delete', pod, why: 'AnnotationRemoved' } };
  // A policy is often deleted with its Pods, as with their namespace: their last packets count.
  const isGone = policiesSelecting(pod, policies).length === 0;
  const isEnding = hasEnded(pod) || (isGone && endsSoon(pod));
  return proposalForEnded(folder, state, { why: isEnding ? 'PodEnded' : 'NotMatched', pod });
}

function requestsIn(state: NodeState): Pick<Plan, 'requesters' | 'requests'> {
  const requesters = new Map<string, Requester>();
  const requests = new Map<string, CaptureSpec>();
  for (const [uid, pod] of state.pods) {
    const request = requestFor(pod, state);
    if (request.kind === 'none' || request.kind === 'unknown') continue;
    requesters.set(uid, { policy: request.policy });
    if (request.kind === 'capture') requests.set(uid, request.spec);
  }
  return { requesters, requests };
}

type ForgottenFolder = {
  readonly pod: Pod;
  readonly folder: FolderState;
  readonly request: PodRequest;
};

/** A Pod that is only marked for deletion still sends packets: it has ended by its phase, or once it is deleted. */
export function hasEnded(pod: Pod): boolean {
  return pod.phase === 'Succeeded' || pod.phase === 'Failed';
}

/** Whether it is being deleted, and its containers are given no more than a minute for that. */
function endsSoon({ deletionTimestamp, gracePeriodSeconds }: Pod): boolean {
  return deletionTimestamp !== undefined && gracePeriodSeconds <= 60;
}

/** People want a Pod's last packets, so its files stay for the retention time. */
function proposalForEnded(
  { pod, endedMs }: FolderState,
  { limits, nowMs, discarded }: NodeState,
  { why = 'PodEnded', ...listed }: { readonly why?: 'PodEnded' | 'NotMatched'; readonly pod?: Pod } = {},
): Proposal {
  const untilMs = (endedMs ?? nowMs) + limits.retentionMs;
  if (endedMs !== undefined && untilMs <= nowMs) {
    return { decision: { kind: 'delete', pod, why: 'RetentionOver' } };
  }
  if (endedMs !== undefined && discarded?.has(pod.uid)) {
    return { decision: { kind: 'delete', pod, why: 'Discarded' } };
  }
  return { decision: { kind: 'keep', why, ...listed }, untilMs };
}

function proposalForCapture(uid: string, pod: Pod, spec: CaptureSpec, state: NodeState): Proposal {
  if (spec.isPaused) return { decision: { kind: 'keep', why: 'Paused', pod } };
  const decision = { kind: 'record', pod, spec } as const;
  if (spec.durationMs === undefined) return { decision };
  const leftMs = spec.durationMs - capturedMs(uid, state);
  if (leftMs <= 0) return { decision: { kind: 'keep', why: 'DurationReached', pod } };
  return state.recording.has(uid) ? { decision, untilMs: state.nowMs + leftMs } : { decision };
}

function capturedMs(uid: string, { recording, folders, nowMs }: NodeState): number {
  const captured = recording.get(uid);
  return captured ? captured.capturedMs + (nowMs - captured.atMs) : (folders.get(uid)?.capturedMs ?? 0);
}
