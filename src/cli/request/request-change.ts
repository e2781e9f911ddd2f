import { isDeepStrictEqual } from 'node:util';
import {
  annotationPrefix,
  type CaptureSpec,
  captureAnnotation,
  freezeAnnotation,
  mostLimits,
  pausedAnnotation,
  type Request,
  requestOf,
} from '../../agent/planner/annotations.ts';
import type { TargetPod } from '../api/targets.ts';
import type { WantedCapture } from './wanted-capture.ts';

/** Undefined removes an annotation. */
export type AnnotationChanges = Readonly<Record<string, string | undefined>>;

/** What becomes of the request of a Pod. */
export type RequestChange =
  /** `spec`: what it asks for then. */
  | { readonly kind: 'set' | 'resumed'; readonly annotations: AnnotationChanges; readonly spec: CaptureSpec }
  /** It asks for that already. */
  | { readonly kind: 'same'; readonly spec: CaptureSpec }
  /** It asks for something else, which stays. */
  | { readonly kind: 'kept'; readonly request: Exclude<Request, { readonly kind: 'none' }> };

type AnnotatedPod = Pick<TargetPod, 'annotations'>;

/**
 * Decides what to change of a Pod's annotations. What it asks for stays unless it is to be overwritten. A paused capture
 * goes on if nothing else is asked for. Pure.
 */
export function requestChange(
  pod: AnnotatedPod,
  wanted: WantedCapture,
  { overwrite }: { readonly overwrite: boolean },
): RequestChange {
  const present = requestIn(pod);
  if (present.kind === 'none') return newRequest(pod, wanted, []);
  if (present.kind === 'capture') {
    const { spec } = present;
    const running = { ...spec, isPaused: false, freeze: { ...spec.freeze, text: undefined } };
    const isFine = isDeepStrictEqual(running, wanted.spec) || (wanted.isUnspecified && !overwrite);
    if (isFine && !spec.isPaused) return { kind: 'same', spec };
    if (isFine) return { kind: 'resumed', annotations: { [pausedAnnotation]: undefined }, spec: running };
  }
  // Its text has frozen the ring already.
  return overwrite ? newRequest(pod, wanted, [freezeAnnotation]) : { kind: 'kept', request: present };
}

/** What the annotations of a Pod ask for. Whether it uses the host network does not matter. */
export function requestIn({ annotations }: AnnotatedPod): Request {
  return requestOf({ annotations, hostNetwork: false }, mostLimits);
}

/** The annotations that Podcap reads, and those that it takes for misspelled ones. */
export function podcapAnnotations({ annotations }: AnnotatedPod): readonly string[] {
  return Object.keys(annotations).filter(
    (key) => key === captureAnnotation || key.toLowerCase().startsWith(annotationPrefix),
  );
}

/** Nothing of an earlier request stays: an annotation that had no effect would have one. */
function newRequest(pod: AnnotatedPod, wanted: WantedCapture, kept: readonly string[]): RequestChange {
  const removed = podcapAnnotations(pod).filter((key) => !kept.includes(key));
  const annotations = {
    ...Object.fromEntries(removed.map((key) => [key, undefined])),
    ...wanted.annotations,
  };
  return { kind: 'set', annotations, spec: wanted.spec };
}
