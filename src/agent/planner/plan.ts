import type { Pod } from '../../kubernetes/pod.ts';
import type { FolderState, PodName } from '../storage/capture-folders.ts';
import { ringInFreezing } from '../storage/freezes.ts';
import { frozenRingBytes, type RingsSize } from '../storage/ring-size.ts';
import { type CaptureSpec, type RequestLimits, tcpdumpSpecsOf } from './annotations.ts';
import {
  admit,
  asksForMore,
  type Capacity,
  mostCaptures,
  placesOf,
  type RequestedRings,
  type RunningRings,
  unmeasuredBytes,
  type WaitsFor,
  type WrittenRings,
} from './capacity.ts';
import type { Bytes } from './free-capacity.ts';
import {
  type FreezeCapacity,
  type FreezeCapacityRequest,
  freezeCapacities,
  mayFreeze,
} from './freeze-capacity.ts';
import {
  type BufferKib,
  bufferKibOf,
  endingReceiveRings,
  type PodReceiveRing,
  type RunningReceiveRing,
  wantedReceiveRings,
} from './pod-receive-rings.ts';
import { type PodRequest, type Policies, requestFor } from './policies.ts';
import { type ReceiveRingLimits, receiveRingSizes } from './receive-rings.ts';
import type { Refusal } from './refusals.ts';

/** One decision per Pod UID: the desired state, whatever is running now. */
export type Plan = {
  readonly decisions: ReadonlyMap<string, Decision>;
  /** When the next decision changes by time alone, by the clock of `nowMs`. */
  readonly nextMs: number | undefined;
  /** What the captures of this plan leave: for captures that are replaced while they run (capacity.ts, spareRings). */
  readonly spare: Bytes;
  /** Whether the ring of each capture that is to run may be frozen, by UID. */
  readonly freezeCapacity: ReadonlyMap<string, FreezeCapacity>;
  /** Its Pods are as they were once: what happens to them is not known. */
  readonly isFromMemory?: true;
  /** The receive ring of each capture that is to run, in KiB, by UID (receive-rings.ts). */
  readonly bufferKib: ReadonlyMap<string, BufferKib>;
};

export type Decision =
  /** The Pod is captured into its folder: each interface that is asked for, and that it has. */
  | { readonly kind: 'record'; readonly pod: Pod; readonly spec: CaptureSpec }
  /** A capture starts once files are deleted, or captures have ended, that take its place. What runs continues as it is. */
  | { readonly kind: 'wait'; readonly pod: Pod; readonly spec: CaptureSpec; readonly waitsFor: WaitsFor }
  /** Not all policies are known yet, so one may ask for the capture. What runs continues as it is, and the files stay. */
  | { readonly kind: 'unknown'; readonly pod: Pod }
  /** No capture is started any more, and the files stay. `pod`: undefined if the API server does not list it any more. */
  | { readonly kind: 'keep'; readonly why: KeepReason; readonly pod?: Pod }
  /** No capture runs, and the files so far stay until the annotation is removed. */
  | { readonly kind: 'refuse'; readonly pod: Pod; readonly refusal: Refusal }
  /** No capture runs, and the folder is deleted, once the API server confirms it for this very Pod (may-delete.ts). */
  | {
      readonly kind: 'delete';
      readonly pod: PodName;
      readonly why: DeleteReason;
      /** Only the ring is deleted. */
      readonly keepsFrozen?: true;
    };

/**
 * `PodEnded`: a running capture ends with the Pod's network. `DurationReached`, `Paused`: it ends now. `NotMatched`: no
 * policy asks for it any more, so it ends now, and its files stay for the retention time.
 */
export type KeepReason = 'PodEnded' | 'DurationReached' | 'Paused' | 'NotMatched';

/** `Evicted`: the Pod had ended, or no policy asked for its capture any more, and another capture needs the space. */
export type DeleteReason = 'AnnotationRemoved' | 'RetentionOver' | 'Evicted';

export type Wait = { readonly waitsFor: WaitsFor; readonly sinceMs: number };

/** Everything that a plan is made from. */
export type NodeState = {
  /** The Pods of this Node by UID. */
  readonly pods: ReadonlyMap<string, Pod>;
  /** The capture folders by UID. */
  readonly folders: ReadonlyMap<string, FolderState>;
  /** The running recordings in the order in which they started: they get capacity before new ones. */
  readonly recording: ReadonlyMap<string, RunningRecording>;
  /** UIDs of Pods that an earlier agent captured and this one does not yet: they get capacity before other new ones. */
  readonly capturedBefore: ReadonlySet<string>;
  /** UIDs that wait for files to be deleted or captures to end, and since when. */
  readonly waits: ReadonlyMap<string, Wait>;
  readonly policies: Policies;
  readonly capacity: Capacity;
  /** What was deleted since the disk was sampled (observed-disk.ts). */
  readonly deletedBytes: number;
  readonly limits: PlanLimits;
  /** From a monotonic clock (clock.ts). */
  readonly nowMs: number;
  /** The same moment in Unix time, by which policies expire. */
  readonly unixMs: number;
};

export type RunningRecording = CapturedTime &
  RunningRings & {
    /** The policy that asks for it; undefined for an annotation. */
    readonly policy?: string | undefined;
    /** One for each interface of which a tcpdump runs. */
    readonly receiveRings: readonly RunningReceiveRing[];
  };

/** How long a Pod had been captured by the time `atMs`, all its captures together. */
export type CapturedTime = { readonly capturedMs: number; readonly atMs: number };

export type PlanLimits = RequestLimits & {
  /** How long the captures of an ended Pod are kept. */
  readonly retentionMs: number;
};

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
  return fitToCapacity(proposals, state);
}

/** Returns only the decisions about these Pods: for Pods as they were once, which may not be all. */
export function planAbout(pods: ReadonlyMap<string, Pod>, { decisions, ...rest }: Plan): Plan {
  return { ...rest, isFromMemory: true, decisions: new Map([...decisions].filter(([uid]) => pods.has(uid))) };
}

/** A decision made from one Pod alone, before capacity is shared out, and when it changes by time alone. */
type Proposal = { readonly decision: Decision; readonly untilMs?: number };

function proposalFor(uid: string, pod: Pod, state: NodeState): Proposal | undefined {
  const folder = state.folders.get(uid);
  const request = requestFor(pod, state);
  if (request.kind === 'none' || request.kind === 'unknown') {
    return folder && proposalWithoutRequest({ uid, pod, folder, request }, state);
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
function proposalWithoutRequest({ uid, pod, folder, request }: ForgottenFolder, state: NodeState): Proposal {
  const { recording, policies } = state;
  const running = recording.get(uid);
  const isByPolicy = (running ? running.policy : folder.policy) !== undefined;
  // An agent that may not list policies carries none out: one without an annotation is not to be captured.
  const isUnknown = request.kind === 'unknown' && (isByPolicy || policies.known === 'notYet');
  if (isUnknown) return { decision: { kind: 'unknown', pod } };
  if (!isByPolicy) return { decision: { kind: 'delete', pod, why: 'AnnotationRemoved' } };
  return proposalForEnded(folder, state, { why: hasEnded(pod) ? 'PodEnded' : 'NotMatched', pod });
}

type ForgottenFolder = {
  readonly uid: string;
  readonly pod: Pod;
  readonly folder: FolderState;
  readonly request: PodRequest;
};

/** A Pod that is only marked for deletion still sends packets: it has ended by its phase, or once it is deleted. */
export function hasEnded(pod: Pod): boolean {
  return pod.phase === 'Succeeded' || pod.phase === 'Failed';
}

/** People want a Pod's last packets, so its files stay for the retention time. */
function proposalForEnded(
  { pod, endedMs }: FolderState,
  { limits, nowMs }: NodeState,
  { why = 'PodEnded', ...listed }: { readonly why?: 'PodEnded' | 'NotMatched'; readonly pod?: Pod } = {},
): Proposal {
  const untilMs = (endedMs ?? nowMs) + limits.retentionMs;
  if (endedMs !== undefined && untilMs <= nowMs) {
    return { decision: { kind: 'delete', pod, why: 'RetentionOver' } };
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

/** Shares out the Node's capacity: evicts captures of ended Pods, and refuses what still does not fit. */
function fitToCapacity(proposals: ReadonlyMap<string, Proposal>, state: NodeState): Plan {
  const { capacity, deletedBytes, nowMs, waits } = state;
  const decisions = new Map([...proposals].map(([uid, { decision }]) => [uid, decision]));
  const requested = requestedRings(decisions, state);
  const { evicted, refused, waiting, spare } = admit({
    requested,
    endingCaptures: endingCaptures(decisions, state),
    evictable: evictableRings(decisions, state),
    ...otherBytes(decisions, state),
    capacity,
    deletedBytes,
  });
  for (const [uid, decision] of decisions) {
    if (decision.kind !== 'record') continue;
    const refusal = refused.get(uid);
    const waitsFor = waiting.get(uid);
    if (refusal) decisions.set(uid, { kind: 'refuse', pod: decision.pod, refusal });
    else if (waitsFor) decisions.set(uid, { ...decision, kind: 'wait', waitsFor });
  }
  for (const [uid, part] of evicted) {
    const pod = state.folders.get(uid)?.pod;
    const keepsFrozen = part === 'ring' && ({ keepsFrozen: true } as const);
    if (pod) decisions.set(uid, { kind: 'delete', pod, why: 'Evicted', ...keepsFrozen });
  }
  const times = [...proposals].flatMap(([uid, { decision, untilMs }]) =>
    untilMs !== undefined && decisions.get(uid) === decision ? [untilMs] : [],
  );
  for (const [uid, waitsFor] of waiting) {
    const wait = waits.get(uid);
    times.push((wait?.waitsFor === waitsFor ? wait.sinceMs : nowMs) + silentWaitMs);
  }
  const rings = receiveRings(decisions, requested, state);
  const sizes = receiveRingSizes(rings, ringLimits(capacity), nowMs);
  if (sizes.nextMs !== undefined) times.push(sizes.nextMs);
  const nextMs = times.length === 0 ? undefined : Math.min(...times);
  const freezes = freezeCapacities(freezeRequests(decisions, state), spare);
  const bufferKib = bufferKibOf(rings, sizes.kib);
  return { decisions, nextMs, spare: freezes.spare, bufferKib, freezeCapacity: freezes.capacity };
}

/** The captures whose rings may have to be frozen, in the order in which they started. */
function freezeRequests(
  decisions: ReadonlyMap<string, Decision>,
  { recording, folders }: NodeState,
): FreezeCapacityRequest[] {
  const uids = new Set([...recording.keys(), ...decisions.keys()]);
  return [...uids].flatMap((uid) => {
    const decision = decisions.get(uid);
    if (decision?.kind !== 'record' || !mayFreeze(decision.spec)) return [];
    const freezes = folders.get(uid)?.freezes ?? { log: undefined, rings: [] };
    // Until that is over, it freezes no other.
    if (ringInFreezing(freezes)) return [];
    const { rings } = freezes;
    const running = recording.get(uid);
    const isReserved =
      running?.size.freezes === true ||
      requestedSize(decision.spec, folders.get(uid), running).freezes === true;
    const replaceableBytes = rings.slice(1).at(-1)?.bytes;
    return [
      {
        uid,
        needBytes: ringsSizeOf(decision.spec).rings * frozenRingBytes(decision.spec),
        isReserved,
        replaceableBytes,
      },
    ];
  });
}

/** The receive rings of what is to run, in the order in which they get memory, and of what is about to end. */
function receiveRings(
  decisions: ReadonlyMap<string, Decision>,
  requested: readonly Pick<RequestedRings, 'uid'>[],
  { recording }: NodeState,
): PodReceiveRing[] {
  const runningOf = (uid: string) => recording.get(uid)?.receiveRings ?? [];
  const wanted = requested.flatMap(({ uid }) => {
    const decision = decisions.get(uid);
    if (decision?.kind !== 'record') return [];
    return wantedReceiveRings(uid, tcpdumpSpecsOf(decision.spec), runningOf(uid));
  });
  const ending = [...recording.keys()].filter((uid) => decisions.get(uid)?.kind !== 'record');
  return [...wanted, ...ending.flatMap((uid) => endingReceiveRings(uid, runningOf(uid)))];
}

function ringLimits({ bufferBudgetBytes, fixedBufferKib, ...capacity }: Capacity): ReceiveRingLimits {
  return {
    budgetBytes: bufferBudgetBytes,
    maxRings: mostCaptures({ bufferBudgetBytes, ...capacity }),
    fixedKib: fixedBufferKib,
  };
}

/** How long a capture waits before that is reported: usually they take a fraction of a second. */
export const silentWaitMs = 5_000;

/**
 * The rings to record: the running ones in the order in which they started, those that ask for more after the others;
 * then what an earlier agent captured, then the rest, oldest Pod first.
 */
function requestedRings(
  decisions: ReadonlyMap<string, Decision>,
  { recording, capturedBefore, folders, waits, nowMs }: NodeState,
): RequestedRings[] {
  const started = new Map([...recording.keys()].map((uid, place) => [uid, place]));
  const place = (uid: string, spec: CaptureSpec) => {
    const running = recording.get(uid);
    const startedAt = started.get(uid);
    const isMore = asksForMore({ spec: requestedSize(spec, folders.get(uid), running), running });
    if (startedAt !== undefined) return isMore ? started.size + startedAt : startedAt;
    return 2 * started.size + (capturedBefore.has(uid) ? 0 : 1);
  };
  return [...decisions]
    .flatMap(([uid, decision]) => (decision.kind === 'record' ? [{ uid, ...decision }] : []))
    .toSorted(
      (a, b) =>
        place(a.uid, a.spec) - place(b.uid, b.spec) ||
        a.pod.creationTimestamp.localeCompare(b.pod.creationTimestamp) ||
        a.uid.localeCompare(b.uid),
    )
    .map(({ uid, spec }) => ({
      uid,
      spec: requestedSize(spec, folders.get(uid), recording.get(uid)),
      ...writtenRings(folders.get(uid), recording.get(uid)),
      wasCaptured: capturedBefore.has(uid),
      overdue: overdue(waits.get(uid), nowMs),
    }));
}

function overdue(wait: Wait | undefined, nowMs: number): WaitsFor | undefined {
  return wait && nowMs - wait.sinceMs >= silentWaitMs ? wait.waitsFor : undefined;
}

/** For example those of Pods that were deleted, which are captured until their network is gone. */
function endingCaptures(decisions: ReadonlyMap<string, Decision>, { recording }: NodeState): number {
  return [...recording]
    .filter(([uid]) => decisions.get(uid)?.kind !== 'record')
    .reduce((sum, [, running]) => sum + placesOf(running), 0);
}

const evictionOrder: readonly KeepReason[] = ['PodEnded', 'NotMatched'];

/**
 * The rings of ended Pods, oldest first, and after them those of Pods that no policy selects any more; then their frozen
 * rings in the same order. Except those that are still being written.
 */
function evictableRings(decisions: ReadonlyMap<string, Decision>, { folders, recording, nowMs }: NodeState) {
  return [...decisions]
    .flatMap(([uid, decision]) => {
      const folder = folders.get(uid);
      if (!folder || decision.kind !== 'keep' || recording.has(uid)) return [];
      const place = evictionOrder.indexOf(decision.why);
      if (place < 0) return [];
      const { frozenBytes, endedMs = nowMs } = folder;
      const ringBytes = folder.bytes - frozenBytes;
      const frozen = {
        uid,
        bytes: frozenBytes,
        leavesFrozen: false,
        place: place + evictionOrder.length,
        endedMs,
      };
      const ring = { uid, bytes: ringBytes, leavesFrozen: frozenBytes > 0, place, endedMs };
      return [...(ringBytes > 0 || frozenBytes === 0 ? [ring] : []), ...(frozenBytes > 0 ? [frozen] : [])];
    })
    .toSorted((a, b) => a.place - b.place || a.endedMs - b.endedMs || a.uid.localeCompare(b.uid));
}

/**
 * The bytes of files that are neither requested nor evictable: of refused Pods, of captures about to end, and of what is
 * to be deleted, which may have to wait for the API server.
 */
function otherBytes(decisions: ReadonlyMap<string, Decision>, { folders, recording }: NodeState) {
  const other = { otherBytes: 0, otherGrowthBytes: 0, leavingBytes: 0, leavingGrowthBytes: 0 };
  for (const [uid, decision] of decisions) {
    const running = recording.get(uid);
    const ring = writtenRings(folders.get(uid), running);
    const stays =
      decision.kind === 'refuse' ||
      decision.kind === 'unknown' ||
      (decision.kind === 'keep' && (['DurationReached', 'Paused'].includes(decision.why) || running));
    if (stays) {
      other.otherBytes += ring.bytes;
      other.otherGrowthBytes += unmeasuredBytes(ring);
    } else if (decision.kind === 'delete') {
      other.leavingBytes += ring.bytes;
      other.leavingGrowthBytes += unmeasuredBytes(ring);
    }
  }
  return other;
}

/**
 * What is reserved for a request: with a frozen ring for each of its rings, if none is frozen yet. Once that was lost, it is
 * granted again when there is room (freeze-capacity.ts).
 */
export function requestedSize(
  spec: CaptureSpec,
  folder: Pick<FolderState, 'freezes'> | undefined,
  running: RunningRings | undefined,
): RingsSize {
  const isFirst = (folder?.freezes.rings.length ?? 0) === 0;
  const isLost = running?.isAdmittedToFreeze === true && running.size.freezes !== true;
  return { ...ringsSizeOf(spec), freezes: spec.freeze.on.length > 0 && isFirst && !isLost };
}

/** What a request takes on the disk: a ring for each interface. */
export function ringsSizeOf({ files, fileMegabytes, interfaces }: CaptureSpec): RingsSize {
  return { files, fileMegabytes, rings: interfaces.length };
}

function writtenRings(folder: FolderState | undefined, running: RunningRecording | undefined): WrittenRings {
  const { bytes, frozenBytes, largestBytes } = folder ?? { bytes: 0, frozenBytes: 0, largestBytes: 0 };
  return { bytes, frozenBytes, largestBytes, running };
}
