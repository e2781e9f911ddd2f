import type { Pod } from '../../kubernetes/pod.ts';
import type { PodName } from '../storage/capture-folders.ts';
import type { Requester } from '../storage/requester.ts';
import type { CaptureSpec } from './annotations.ts';
import type { WaitsFor } from './capacity.ts';
import type { Bytes } from './free-capacity.ts';
import type { FreezeCapacity } from './freeze-capacity.ts';
import type { BufferKib } from './pod-receive-rings.ts';
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
  /** By UID, who asks for a capture of each Pod, also of one that is refused or paused. */
  readonly requesters: ReadonlyMap<string, Requester>;
  /** By UID, what each of them asks for, unless it is refused for what it asks for. */
  readonly requests: ReadonlyMap<string, CaptureSpec>;
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

/**
 * `Evicted`: the Pod had ended, or no policy asked for its capture any more, and another capture needs the space.
 * `Discarded`: so it had, and somebody who may delete the capture has asked for that.
 */
export type DeleteReason = 'AnnotationRemoved' | 'RetentionOver' | 'Evicted' | 'Discarded';

export type Wait = { readonly waitsFor: WaitsFor; readonly sinceMs: number };

/** A decision made from one Pod alone, before capacity is shared out, and when it changes by time alone. */
export type Proposal = { readonly decision: Decision; readonly untilMs?: number };
