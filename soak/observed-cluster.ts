import type { DueText, Expectation, PastRequests } from './desired-pods.ts';
import type { GapHistory } from './gaps.ts';
import type { ObservedFolder } from './observed-folder.ts';

/** What was observed of one Pod: of its object, its folder and its processes. */
export type ObservedPod = {
  readonly name: string;
  readonly uid: string;
  /** False for a Pod that was deleted. */
  readonly exists: boolean;
  readonly expected: Expectation;
  readonly past: PastRequests;
  readonly dueText: DueText | undefined;
  /** The disk was filled since everything was settled last. */
  readonly wasDiskFilled: boolean;
  /** False while the kubelet delays the restart of a container that was killed repeatedly. */
  readonly sends: boolean;
  readonly folder: ObservedFolder | undefined;
  /** How many processes write into its folder. */
  readonly tcpdumps: number;
};

/** What was observed of the process of one agent. */
export type ObservedAgent = {
  readonly node: string;
  readonly pid: number;
  readonly captures: number;
  readonly memoryKib: number;
  readonly descriptors: number;
  /** Children that have ended and were not waited for. */
  readonly zombies: number;
};

/** Everything that the invariants are about, at one time. */
export type Observation = {
  readonly pods: readonly ObservedPod[];
  readonly agents: readonly ObservedAgent[];
};

/** What was observed since the soak started. */
export type SoakHistory = {
  /** The agents' processes as they were first observed, by pid. */
  readonly agents: ReadonlyMap<number, ObservedAgent>;
  readonly gaps: Pick<GapHistory, 'unexplained'>;
  /** The texts of podcap.dev/freeze that have frozen a ring. */
  readonly frozenTexts: ReadonlySet<string>;
  /** The folders when everything was settled last, by the UID of their Pods. */
  readonly folders: ReadonlyMap<string, SettledFolder>;
};

export type SettledFolder = { readonly id: string; readonly frozen: readonly number[] };
