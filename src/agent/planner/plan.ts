import type { Pod } from '../../kubernetes/pod.ts';
import type { FolderState, PodName } from '../storage/capture-folders.ts';
import { type CaptureSpec, type Refusal, type RequestLimits, requestOf } from './annotations.ts';
import { admit, type Capacity, type RequestedRing } from './capacity.ts';

/** One decision per Pod UID: what should be, whatever is running now. */
export type Plan = {
  readonly decisions: ReadonlyMap<string, Decision>;
  /** When a decision changes by time alone, by the clock of `nowMs`. */
  readonly nextMs: number | undefined;
};

export type Decision =
  /** A capture runs and fills the Pod's folder. */
  | { readonly kind: 'record'; readonly pod: Pod; readonly spec: CaptureSpec }
  /** Nothing runs any more, the files stay. */
  | { readonly kind: 'keep'; readonly why: KeepReason }
  /** Nothing runs, the files that are there stay until the annotation goes. */
  | { readonly kind: 'refuse'; readonly pod: Pod; readonly refusal: Refusal }
  /** Nothing runs, the folder goes: once the API server has said of that very Pod that it may (may-delete.ts). */
  | { readonly kind: 'delete'; readonly pod: PodName; readonly why: DeleteReason };

/** `PodEnded`: what still runs ends with the Pod's network. `DurationReached`: it ends now. */
export type KeepReason = 'PodEnded' | 'DurationReached';

/** `Evicted`: the Pod had ended, and a capture needs the room. */
export type DeleteReason = 'AnnotationRemoved' | 'RetentionOver' | 'Evicted';

/** All that a plan is made of. */
export type NodeState = {
  /** The Pods of this Node by UID. */
  readonly pods: ReadonlyMap<string, Pod>;
  /** The folders of captures by UID. */
  readonly folders: ReadonlyMap<string, FolderState>;
  /** What is being recorded, in the order in which it was begun: what runs goes before what wants to. */
  readonly recording: ReadonlyMap<string, Usage>;
  readonly capacity: Capacity;
  readonly limits: PlanLimits;
  /** Of a clock that nobody sets (clock.ts). */
  readonly nowMs: number;
};

/** How long a capture had run at a moment, all its starts together. */
export type Usage = { readonly capturedMs: number; readonly atMs: number };

export type PlanLimits = RequestLimits & {
  /** How long the captures of a Pod that has ended stay. */
  readonly retentionMs: number;
};

/**
 * Decides for the whole Node at once. Pure: the same state gives the same plan. A Pod that neither asks for anything
 * nor left a folder has no decision.
 */
export function plan(state: NodeState): Plan {
  const wishes = new Map<string, TimedDecision>();
  for (const [uid, pod] of state.pods) {
    const wish = decisionBeforeCapacity(uid, pod, state);
    if (wish) wishes.set(uid, wish);
  }
  for (const [uid, folder] of state.folders) {
    if (!state.pods.has(uid)) wishes.set(uid, ended(folder, state));
  }
  return settle(wishes, state);
}

/** Of a plan what it decides about these Pods: for a list of Pods that may not have all there are. */
export function planAbout(pods: ReadonlyMap<string, Pod>, { decisions, nextMs }: Plan): Plan {
  return { decisions: new Map([...decisions].filter(([uid]) => pods.has(uid))), nextMs };
}

/** A decision that does not know of other Pods yet, and when it changes by time alone. */
type TimedDecision = { readonly decision: Decision; readonly untilMs?: number };

function decisionBeforeCapacity(uid: string, pod: Pod, state: NodeState): TimedDecision | undefined {
  const folder = state.folders.get(uid);
  const request = requestOf(pod, state.limits);
  if (request.kind === 'none') {
    return folder && { decision: { kind: 'delete', pod, why: 'AnnotationRemoved' } };
  }
  if (hasEnded(pod)) return folder && ended(folder, state);
  if (request.kind === 'refused') return { decision: { kind: 'refuse', pod, refusal: request.refusal } };
  return wanted(uid, pod, request.spec, state);
}

/** A Pod that is only marked for deletion still sends: it has ended when its phase says so, or when it is gone. */
function hasEnded(pod: Pod): boolean {
  return pod.phase === 'Succeeded' || pod.phase === 'Failed';
}

/** Its last packets are what people want, so they stay for the retention time. */
function ended({ pod, endedMs }: FolderState, { limits, nowMs }: NodeState): TimedDecision {
  const untilMs = (endedMs ?? nowMs) + limits.retentionMs;
  if (endedMs !== undefined && untilMs <= nowMs) {
    return { decision: { kind: 'delete', pod, why: 'RetentionOver' } };
  }
  return { decision: { kind: 'keep', why: 'PodEnded' }, untilMs };
}

function wanted(
  uid: string,
  pod: Pod,
  spec: CaptureSpec,
  { recording, folders, nowMs }: NodeState,
): TimedDecision {
  const decision = { kind: 'record', pod, spec } as const;
  if (spec.durationMs === undefined) return { decision };
  const usage = recording.get(uid);
  const capturedMs = usage ? usage.capturedMs + (nowMs - usage.atMs) : (folders.get(uid)?.capturedMs ?? 0);
  const leftMs = spec.durationMs - capturedMs;
  if (leftMs <= 0) return { decision: { kind: 'keep', why: 'DurationReached' } };
  return usage ? { decision, untilMs: nowMs + leftMs } : { decision };
}

/** Gives the room of the Node to the wishes: what does not fit is refused, what has ended is evicted for it. */
function settle(wishes: ReadonlyMap<string, TimedDecision>, state: NodeState): Plan {
  const decisions = new Map([...wishes].map(([uid, { decision }]) => [uid, decision]));
  const { evicted, refused } = admit({
    live: liveRings(decisions, state),
    ended: endedRings(decisions, state),
    kept: keptBytes(decisions, state),
    capacity: state.capacity,
  });
  for (const [uid, refusal] of refused) {
    const decision = decisions.get(uid);
    if (decision?.kind === 'record') decisions.set(uid, { kind: 'refuse', pod: decision.pod, refusal });
  }
  for (const uid of evicted) {
    const pod = state.folders.get(uid)?.pod;
    if (pod) decisions.set(uid, { kind: 'delete', pod, why: 'Evicted' });
  }
  const times = [...wishes].flatMap(([uid, { decision, untilMs }]) =>
    untilMs !== undefined && decisions.get(uid) === decision ? [untilMs] : [],
  );
  return { decisions, nextMs: times.length === 0 ? undefined : Math.min(...times) };
}

/** What is to be recorded: what runs first, in the order in which it was begun, then by the age of the Pods. */
function liveRings(
  decisions: ReadonlyMap<string, Decision>,
  { recording, folders }: NodeState,
): RequestedRing[] {
  const places = new Map([...recording.keys()].map((uid, place) => [uid, place]));
  const place = (uid: string) => places.get(uid) ?? places.size;
  return [...decisions]
    .flatMap(([uid, decision]) => (decision.kind === 'record' ? [{ uid, ...decision }] : []))
    .toSorted(
      (a, b) =>
        place(a.uid) - place(b.uid) ||
        a.pod.creationTimestamp.localeCompare(b.pod.creationTimestamp) ||
        a.uid.localeCompare(b.uid),
    )
    .map(({ uid, spec }) => ({
      uid,
      spec,
      files: folders.get(uid)?.files ?? 0,
      bytes: folders.get(uid)?.bytes ?? 0,
      runs: recording.has(uid),
    }));
}

/** Oldest first. What is still being written, or ends only by an annotation, is not given away. */
function endedRings(decisions: ReadonlyMap<string, Decision>, { folders, recording, nowMs }: NodeState) {
  return [...decisions]
    .flatMap(([uid, decision]) => {
      const folder = folders.get(uid);
      const isEnded = decision.kind === 'keep' && decision.why === 'PodEnded' && !recording.has(uid);
      return folder && isEnded ? [{ uid, bytes: folder.bytes, endedMs: folder.endedMs ?? nowMs }] : [];
    })
    .toSorted((a, b) => a.endedMs - b.endedMs || a.uid.localeCompare(b.uid));
}

/** What stays whatever comes: the files of Pods that are there, and what is being written to the end. */
function keptBytes(decisions: ReadonlyMap<string, Decision>, { folders, recording }: NodeState): number {
  let bytes = 0;
  for (const [uid, decision] of decisions) {
    const stays =
      decision.kind === 'refuse' ||
      (decision.kind === 'keep' && (decision.why === 'DurationReached' || recording.has(uid)));
    if (stays) bytes += folders.get(uid)?.bytes ?? 0;
  }
  return bytes;
}
