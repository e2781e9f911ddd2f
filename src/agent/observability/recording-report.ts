import type { CaptureSpec } from '../planner/annotations.ts';
import type { Refusal } from '../planner/refusals.ts';
import type { Totals } from '../storage/capture-records.ts';
import type { FreezeCause, FreezeRecord } from '../storage/freeze-records.ts';

/** What the loop of a Pod reports about its captures: the types alone. */

/**
 * Why a recording ended, as capture/ decides it. Its files are deleted if the annotation was removed, and kept
 * otherwise.
 */
export type StopReason =
  | 'PodEnded'
  | 'AnnotationRemoved'
  | 'NotMatched'
  | 'DurationReached'
  | 'Paused'
  | 'Refused'
  | 'AgentStopped';

/** What the loop of a Pod (capture/pod-loop.ts) reports, in the order in which it happens. */
export type RecordingReport =
  /** `problem`: what is missing, once that takes longer than it should. */
  | { readonly kind: 'waiting'; readonly problem?: string }
  | {
      readonly kind: 'capturing';
      /** Which start of tcpdump this is, counted over all agents; of several interfaces, the newest. */
      readonly generation: number;
      /** What is captured, without what is refused. */
      readonly spec: CaptureSpec;
      /** Of all interfaces together. */
      readonly missedBefore: MissedBefore;
      /** Another interface of that name was captured before: this one has taken its place. */
      readonly isOtherInterface?: true;
      /** If there are several interfaces: the start of each (capturing-report.ts). */
      readonly starts?: readonly InterfaceStart[];
      /** The interfaces that are asked for and refused, while these are captured; undefined if there are none. */
      readonly refused?: readonly InterfaceRefusal[];
    }
  /** tcpdump keeps running, but no packets pass. */
  | { readonly kind: 'interfaceDown'; readonly generation: number; readonly interface: string }
  /** tcpdump keeps capturing the interface, whose name is `name` by now; no other has taken its name. */
  | {
      readonly kind: 'interfaceRenamed';
      readonly generation: number;
      readonly interface: string;
      readonly name: string;
    }
  /** tcpdump warns of something, in its own words, and continues. */
  | { readonly kind: 'warning'; readonly generation: number; readonly message: string }
  | { readonly kind: 'failed'; readonly message: string }
  /** The ring was set aside, and the capture continues with a new one. */
  | { readonly kind: 'frozen'; readonly ring: FreezeRecord }
  | ({ readonly kind: 'notFrozen' } & NotFrozen)
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  /** Nothing is captured, as requested, and nothing was before. */
  | { readonly kind: 'paused' }
  /** `totals`: of all captures of the Pod, also those of earlier agents. */
  | { readonly kind: 'stopped'; readonly why: StopReason; readonly totals: Totals };

/** Something happened that freezes a ring, but the last time was less than a minute ago, or there is no capacity. */
export type NotFrozen = {
  readonly causes: readonly FreezeCause[];
  readonly why: 'TooSoon' | 'NoCapacity';
};

/** How many packets passed the interface before a capture, and are in no file. */
export type MissedBefore =
  /** Since the interface was made: it was not captured before. */
  | { readonly kind: 'first'; readonly packets: number }
  /**
   * Since the capture before; `isSettled` if that was not known when this one started. `firstPackets` passed other
   * interfaces of the Pod, that were not captured before.
   */
  | {
      readonly kind: 'gap';
      readonly packets: number;
      readonly isSettled: boolean;
      readonly firstPackets?: number;
    }
  /** The capture before has no end yet: within half a minute it is known whether it goes on. */
  | { readonly kind: 'unknown' };

/** The start of the capture of one interface. */
export type InterfaceStart = {
  readonly interface: string;
  readonly generation: number;
  readonly missedBefore: MissedBefore;
  /** Another interface of that name was captured before: this one has taken its place. */
  readonly isOtherInterface: boolean;
};

/** An interface that is not captured, while the others of its Pod are. */
export type InterfaceRefusal = { readonly interface: string; readonly refusal: Refusal };
