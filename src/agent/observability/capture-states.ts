import type { Decision, Plan } from '../planner/decisions.ts';
import type { PodName } from '../storage/capture-folders.ts';
import type { CaptureStatus, KnownStatus } from './capture-status.ts';
import { refusalOfInterfaces } from './capturing-report.ts';
import { eventMessageOf } from './event-messages.ts';

/** What a Pod's capture can be, in the words of `podcap list`, of the metric podcap_captures and of the documents. */
export const captureStates = ['capturing', 'waiting', 'failed', 'refused', 'paused', 'ended'] as const;
export type CaptureState = (typeof captureStates)[number];

/** What each state means, as a phrase in parentheses after its name. */
export const stateDescriptions: Readonly<Record<CaptureState, string>> = {
  capturing: 'also while the interface is down',
  waiting: 'for the Pod network',
  failed: 'will be retried',
  refused: 'until the reason is gone',
  paused: 'until it is requested to continue; its files are kept',
  ended: 'the capture has stopped, and its files are kept',
};

/** The state of one Pod's capture. */
export type PodState = {
  readonly uid: string;
  /** Undefined for a Pod of which only its folder is left. */
  readonly pod: Omit<PodName, 'uid'> | undefined;
  readonly state: CaptureState;
  /** Why, where the state alone does not say it: one word, the same as in the Event. */
  readonly reason: string | undefined;
  /** The same in words. */
  readonly message: string | undefined;
};

/** One state for each Pod of which the agent has anything to say: what it last reported, or else what it decided. */
export function podStates(statuses: readonly KnownStatus[], plan: Plan | undefined): PodState[] {
  const reported = statuses.flatMap(({ pod: { uid, namespace, name }, status }) => {
    const state = reportedState(status);
    return state ? [{ uid, pod: { namespace, name }, ...state }] : [];
  });
  const known = new Set(reported.map(({ uid }) => uid));
  const decided = [...(plan?.decisions ?? [])].flatMap(([uid, decision]) => {
    const state = known.has(uid) ? undefined : decidedState(decision);
    return state ? [{ uid, ...state }] : [];
  });
  return [...reported, ...decided];
}

type StateAlone = Omit<PodState, 'uid' | 'pod'>;

/** Undefined where it says nothing about what is left of the capture. */
function reportedState(status: CaptureStatus): StateAlone | undefined {
  switch (status.kind) {
    case 'waiting':
      return {
        state: 'waiting',
        reason: 'WaitingForNetwork',
        message: status.problem ?? 'the Pod has no network yet that the agent can find',
      };
    case 'capturing':
      return { state: 'capturing', ...(status.refused ? refusalOfInterfaces(status.refused) : nothingToAdd) };
    case 'interfaceDown':
    case 'interfaceRenamed':
      return { state: 'capturing', ...wordsOf(status) };
    case 'failed':
    case 'refused':
      return { state: status.kind, ...wordsOf(status) };
    case 'stopped':
      // The next agent continues it.
      if (status.why === 'AgentStopped') return undefined;
      if (status.why === 'Paused') return { state: 'paused', ...nothingToAdd };
      return { state: 'ended', reason: status.why, message: undefined };
    case 'paused':
      return { state: 'paused', ...nothingToAdd };
    case 'deleted':
      return undefined;
  }
}

function decidedState(decision: Decision): Omit<PodState, 'uid'> | undefined {
  switch (decision.kind) {
    case 'keep':
      if (decision.why === 'Paused') return { state: 'paused', pod: decision.pod, ...nothingToAdd };
      return { state: 'ended', pod: undefined, reason: decision.why, message: undefined };
    case 'refuse':
      return { state: 'refused', pod: decision.pod, ...decision.refusal };
    case 'record':
    case 'wait':
    case 'unknown':
    case 'delete':
      return undefined;
  }
}

const nothingToAdd = { reason: undefined, message: undefined };

/** A state that has an Event says what the Event says. */
function wordsOf(status: CaptureStatus): Pick<PodState, 'reason' | 'message'> {
  const { reason, message } =
    eventMessageOf(status, { nodeName: '', isUninstall: () => false }) ?? nothingToAdd;
  return { reason, message };
}
