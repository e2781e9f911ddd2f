import type { FolderState } from '../storage/capture-folders.ts';
import { ringInFreezing } from '../storage/freezes.ts';
import { frozenRingBytes, type RingsSize } from '../storage/ring-size.ts';
import { type CaptureSpec, tcpdumpSpecsOf } from './annotations.ts';
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
import type { Decision, KeepReason, Plan, Proposal, Wait } from './decisions.ts';
import { type FreezeCapacityRequest, freezeCapacities, mayFreeze } from './freeze-capacity.ts';
import type { NodeState, RunningRecording } from './node-state.ts';
import {
  bufferKibOf,
  endingReceiveRings,
  type PodReceiveRing,
  wantedReceiveRings,
} from './pod-receive-rings.ts';
import { type ReceiveRingLimits, receiveRingSizes } from './receive-rings.ts';

/** Shares out the Node's capacity: evicts captures of ended Pods, and refuses what still does not fit. */
export function fitToCapacity(
  proposals: ReadonlyMap<string, Proposal>,
  state: NodeState,
): Omit<Plan, 'requesters' | 'requests'> {
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
 * to be deleted, which may have to wait for the API server; and of deleted files, as long as somebody reads them.
 */
function otherBytes(
  decisions: ReadonlyMap<string, Decision>,
  { folders, recording, heldBytes = 0 }: NodeState,
) {
  const other = { otherBytes: heldBytes, otherGrowthBytes: 0, leavingBytes: 0, leavingGrowthBytes: 0 };
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
