import type { CaptureState, PodState } from '../agent/observability/capture-states.ts';
import { type CaptureRecord, isOver } from '../agent/storage/capture-records.ts';
import type { FreezeRecord } from '../agent/storage/freeze-records.ts';
import { countsOf, storedIn } from '../agent/storage/recorded-counts.ts';
import type { FrozenRecording, Recording } from '../agent/storage/recordings.ts';
import type { Clock } from '../base/clock.ts';

/** One entry of the list; times are RFC 3339. What is not known is left out, never 0. */
export type ListedRecording = {
  readonly namespace: string;
  readonly pod: string;
  readonly uid: string;
  /** `unknown`: no agent in this container says anything about it, and no capture of it is running. */
  readonly state: CaptureState | 'unknown';
  /** Why, in the word of the Event. */
  readonly reason?: string;
  readonly message?: string;
  /** With those of frozen rings. */
  readonly files: number;
  readonly bytes: number;
  /** Oldest first, as their records have them. */
  readonly frozen?: readonly ListedFrozenRing[];
  /** How many times since then nothing was frozen although something happened that freezes. */
  readonly notFrozen?: number;
  /** Packets in those files, and the other counts of all captures of the Pod, as last recorded by the agent. */
  readonly packets?: number;
  readonly dropped?: number;
  readonly lostAtStop?: number;
  readonly missed?: number;
  /** At least this many packets that the interface counted and tcpdump could not get. */
  readonly unseen?: number;
  /** `unseen` is known only of a part of the captures. */
  readonly isUnseenPartial?: true;
  /** The times of the first and the last packet in those files. */
  readonly first?: string;
  readonly last?: string;
};

export type ListedFrozenRing = Pick<
  FreezeRecord,
  'number' | 'time' | 'causes' | 'notFrozenBefore' | 'frozen'
> & {
  readonly files: number;
  readonly bytes: number;
};

/** What the agent in this container says, by UID; undefined if none runs. */
export type AgentStates = ReadonlyMap<string, PodState> | undefined;

/** A recording with its state, without the times of its packets. */
export function listedOf(recording: Recording, states: AgentStates, clock: Clock): ListedRecording {
  const { namespace, pod, uid, generations } = recording;
  const frozen = recording.frozen.filter((ring) => ring.record.frozen !== undefined);
  const records = generations.flatMap((generation) => generation.record ?? []);
  return {
    namespace,
    pod,
    uid,
    ...stateOf(records, recording, { states, clock }),
    ...storedIn(recording),
    ...(frozen.length > 0 && { frozen: frozen.map(listedRing) }),
    ...(recording.notFrozen > 0 && { notFrozen: recording.notFrozen }),
    ...(records.length > 0 && countsOf(records, clock)),
  };
}

function listedRing({ record, files, bytes }: FrozenRecording): ListedFrozenRing {
  const { number, time, causes, notFrozenBefore, frozen } = record;
  return { number, time, causes, notFrozenBefore, files, bytes, ...(frozen && { frozen }) };
}

/** Pods without stored files: refused and waiting ones, for example. */
export function listedWithoutFiles(states: AgentStates, recordings: readonly Recording[]): ListedRecording[] {
  const stored = new Set(recordings.map(({ uid }) => uid));
  return [...(states?.values() ?? [])].flatMap((state) => {
    if (!state.pod || stored.has(state.uid)) return [];
    const { namespace, name: pod } = state.pod;
    return [{ namespace, pod, uid: state.uid, ...wordsOf(state), files: 0, bytes: 0 }];
  });
}

function stateOf(
  records: readonly CaptureRecord[],
  { uid, hasPodEnded }: Pick<Recording, 'uid' | 'hasPodEnded'>,
  { states, clock }: { readonly states: AgentStates; readonly clock: Clock },
): Pick<ListedRecording, 'state' | 'reason' | 'message'> {
  const state = states?.get(uid);
  if (state) return wordsOf(state);
  if (hasPodEnded) return { state: 'ended', reason: 'PodEnded' };
  // During a rolling update, the other agent may still capture it.
  if (records.some((record) => !isOver(record, clock))) return { state: 'capturing' };
  const message = states
    ? 'the agent has not decided about it yet'
    : 'no agent runs in this container, and no other one writes its record';
  return { state: 'unknown', reason: states ? 'NotDecided' : 'NoAgent', message };
}

function wordsOf({
  state,
  reason,
  message,
}: PodState): Pick<ListedRecording, 'state' | 'reason' | 'message'> {
  return { state, ...(reason !== undefined && { reason }), ...(message !== undefined && { message }) };
}
