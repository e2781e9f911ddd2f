import type { Pod } from '../../kubernetes/pod.ts';
import type { FolderState } from '../storage/capture-folders.ts';
import type { RequestLimits } from './annotations.ts';
import type { Capacity, RunningRings } from './capacity.ts';
import type { Wait } from './decisions.ts';
import type { RunningReceiveRing } from './pod-receive-rings.ts';
import type { Policies } from './policies.ts';

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
  /** UIDs of which somebody wants the files deleted; undefined: none. Only what has ended is. */
  readonly discarded?: ReadonlySet<string>;
  /** What readers keep of files that are deleted; undefined: nothing. */
  readonly heldBytes?: number;
  readonly limits: PlanLimits;
  /** From a monotonic clock (clock.ts). */
  readonly nowMs: number;
  /** The same moment in Unix time, by which policies expire. */
  readonly unixMs: number;
};

export type RunningRecording = CapturedTime &
  RunningRings & {
    /** One for each interface of which a tcpdump runs. */
    readonly receiveRings: readonly RunningReceiveRing[];
  };

/** How long a Pod had been captured by the time `atMs`, all its captures together. */
export type CapturedTime = { readonly capturedMs: number; readonly atMs: number };

export type PlanLimits = RequestLimits & {
  /** How long the captures of an ended Pod are kept. */
  readonly retentionMs: number;
};
