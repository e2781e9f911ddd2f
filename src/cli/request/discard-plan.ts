import { captureAnnotation } from '../../agent/planner/annotations.ts';
import type { Capture, CaptureRecording } from '../../api/capture.ts';
import { networkUidOf } from '../../kubernetes/pod.ts';
import type { TargetPod } from '../api/targets.ts';
import { type CommandPlace, suggestedCommand } from '../suggested-command.ts';
import { shellWord } from '../target-arguments.ts';
import type { PodOutcome } from './pod-outcome.ts';
import { type AnnotationChanges, podcapAnnotations } from './request-change.ts';

/** What will go, and how. */
export type DiscardItem = {
  readonly pod: string;
  /** What goes with it; undefined: nothing is recorded, or it is not known. */
  readonly recording: CaptureRecording | undefined;
} & (
  | {
      /** The agent deletes the files when the request is gone. */
      readonly kind: 'request';
      readonly target: TargetPod;
      readonly annotations: AnnotationChanges;
    }
  | {
      /** What is left of a Pod that asks for nothing any more. */
      readonly kind: 'recording';
      readonly recording: CaptureRecording;
    }
);

export type DiscardPlan = {
  readonly items: readonly DiscardItem[];
  /** What stays, and why, and Pods of which there is nothing. */
  readonly others: readonly PodOutcome[];
};

/** A Pod that is there, or was. */
export type DiscardTarget = {
  readonly name: string;
  readonly pod: TargetPod | undefined;
  readonly capture: Capture | undefined;
};

export type DiscardOptions = {
  /** Something is said of each. */
  readonly areNamed: boolean;
  /** Whether it is known what is not recorded. */
  readonly isKnown: boolean;
  readonly place: CommandPlace;
};

/** Whether the items delete anything that was not among those that were shown: files that a capture goes on to write do not count. Pure. */
export function exceeds(items: readonly DiscardItem[], shown: readonly DiscardItem[]): boolean {
  const known = new Set(shown.map(extentOf));
  return items.some((item) => !known.has(extentOf(item)));
}

/** What a confirmation is about. */
function extentOf(item: DiscardItem): string {
  const { pod, kind, recording } = item;
  const request = item.kind === 'request' && {
    uid: item.target.uid,
    annotations: podcapAnnotations(item.target).map((key) => [key, item.target.annotations[key]]),
  };
  const files = kind === 'recording' ? item.recording.files : undefined;
  const frozen = recording?.frozen?.map(({ number }) => number);
  return JSON.stringify([pod, kind, request, recording?.uid, recording?.requested, frozen, files]);
}

/** What to delete of these Pods, the request of each and all recordings of its name. Pure. */
export function discardPlan(targets: readonly DiscardTarget[], options: DiscardOptions): DiscardPlan {
  const parts = targets.map((target) => {
    const part = partOf(target, options);
    const isEmpty = part.items.length + part.others.length === 0;
    return isEmpty && options.areNamed ? { items: [], others: [nothingOf(target, options)] } : part;
  });
  return {
    items: parts.flatMap(({ items }) => items),
    others: parts.flatMap(({ others }) => others),
  };
}

function nothingOf({ name, pod }: DiscardTarget, { isKnown }: DiscardOptions): PodOutcome {
  const recorded = isKnown ? 'nothing is recorded' : 'what is recorded is not known';
  if (!pod) return { pod: name, kind: 'failed', text: `there is no such Pod, and ${recorded} of one` };
  return { pod: name, kind: isKnown ? 'done' : 'failed', text: `asks for nothing, and ${recorded}` };
}

function partOf({ name, pod, capture }: DiscardTarget, { place }: DiscardOptions): DiscardPlan {
  const recordings = capture?.status.recordings ?? [];
  const uid = pod && networkUidOf(pod);
  const isAsked = pod?.annotations[captureAnnotation] !== undefined;
  const goesWithRequest = (each: CaptureRecording) => isAsked && each.uid === uid;
  const items: DiscardItem[] = [];
  if (pod && podcapAnnotations(pod).length > 0) {
    const annotations = Object.fromEntries(podcapAnnotations(pod).map((key) => [key, undefined]));
    const recording = recordings.find(goesWithRequest);
    items.push({ kind: 'request', pod: name, target: pod, annotations, recording });
  }
  const others: PodOutcome[] = [];
  for (const recording of recordings.filter((each) => !goesWithRequest(each))) {
    const why = whyItStays(recording, uid, place);
    if (why === undefined) items.push({ kind: 'recording', pod: name, recording });
    else others.push({ pod: name, kind: 'failed', text: why });
  }
  return { items, others };
}

/** Undefined if it can be deleted. `uid`: of the Pod that has the name now. */
function whyItStays(
  recording: CaptureRecording,
  uid: string | undefined,
  place: CommandPlace,
): string | undefined {
  const { phase, node, requestedBy, message } = recording;
  if (phase === 'Ended') return undefined;
  if (phase === 'Unknown') return `stays for now: ${message ?? `the agent of Node ${node} does not know it`}`;
  if (requestedBy.kind === 'CapturePolicy') {
    return `CapturePolicy ${requestedBy.name} asks for its capture: change or delete the policy (${suggestedCommand(`kubectl edit capturepolicy ${shellWord(requestedBy.name)}`, place)}), then discard it again`;
  }
  if (requestedBy.kind === 'Unknown')
    return 'its capture is asked for in a way that this kubectl podcap is too old to know: it stays';
  if (recording.uid !== uid)
    return `its Pod ${recording.uid} is still ending on ${node}: try again in a minute`;
  return `its request was removed, and the agent of ${node} is about to delete it`;
}
