import type { Capture } from '../../api/capture.ts';
import type { AgentLink } from '../agents/agent-link.ts';

/** What the API reads: all captures that this replica knows. Implemented in capture-store.ts. */
export type Captures = {
  /** Asks the agents for fresh counters first, and waits for them no longer than `freshMs`. */
  readonly list: (scope: CaptureScope, fresh: Freshness) => Promise<CaptureSnapshot>;
  /** Undefined if there is none. */
  readonly get: (name: CaptureName, fresh: Freshness) => Promise<Capture | undefined>;
  /**
   * What is there now, if `since` asks for it, and then every change by resourceVersion, until the signal. From a
   * resourceVersion t on: everything changed or deleted since t - 60 s, or since t - `resentMs`, then without what has
   * other counters alone; everything if this replica is younger; the oldest change first. Comes in parts, none of them empty: watches that begin alike get the
   * same parts, so that each is written once. Throws a WatchOverrun (pending-changes.ts) if too many changes wait to be taken.
   */
  readonly watch: (
    scope: CaptureScope,
    since: WatchStart,
    signal: AbortSignal,
  ) => AsyncIterable<readonly CaptureChange[]>;
  /** Whether a watch from there on tells of every deletion since. */
  readonly deletionsSince: (resourceVersion: bigint) => KnownDeletions;
  /** When a replica made it, in milliseconds of Unix time. */
  readonly timeMsOf: (resourceVersion: bigint) => number;
  /**
   * Which agents of its Node serve a recording, the best first: the one that holds its files; empty if none is connected.
   * Whether other Nodes contest it is for the caller to ask (named-recording.ts).
   */
  readonly agentsOf: (name: CaptureName, recording: RecordingKey) => readonly AgentLink[];
};

export type CaptureName = { readonly namespace: string; readonly name: string };

/** One recording of a capture, as one Node claims it. */
export type RecordingKey = { readonly uid: string; readonly node: string };

/** Undefined: of all namespaces, of every name. */
export type CaptureScope = { readonly namespace: string | undefined; readonly name: string | undefined };

export type Freshness = { readonly signal: AbortSignal };

export type CaptureSnapshot = {
  /** By namespace and name. */
  readonly items: readonly Capture[];
  readonly resourceVersion: string;
  /** Nodes whose agents are not connected or did not answer; the list may lack captures of theirs. */
  readonly missingNodes: readonly string[];
};

export type WatchStart =
  /** resourceVersion unset or "0": what is there now, then changes. */
  | { readonly kind: 'now' }
  /** Without a `resourceVersion`: the one of now. */
  | { readonly kind: 'version'; readonly resourceVersion: bigint | undefined; readonly resentMs?: number };

/**
 * `uncertain`: another replica has sent the resourceVersion, and may have had captures of a lost agent that this one is
 * too young to know.
 */
export type KnownDeletions = 'complete' | 'uncertain' | 'forgotten';

export type CaptureChange =
  | ObjectChange
  /** Everything up to here has been sent. `isInitial`: what was there when the watch began. */
  | { readonly kind: 'bookmark'; readonly resourceVersion: string; readonly isInitial: boolean };

export type ObjectChange = { readonly kind: 'added' | 'modified' | 'deleted'; readonly capture: Capture };
