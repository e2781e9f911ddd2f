import type { Capture, CaptureRecording } from '../../api/capture.ts';
import { objectTime } from '../../kubernetes/object-time.ts';

/** Since when a namespace exists, in epoch ms. `unknown`: the API server did not say. */
export type NamespaceAge =
  | { readonly kind: 'created'; readonly atMs: number }
  | { readonly kind: 'missing' }
  | { readonly kind: 'unknown' };

/**
 * What may be served of a capture: the recordings of Pods that were created since its namespace exists. Undefined if there are none; the
 * same object if that is all of it. A namespace that could not be checked leaves out nothing.
 */
export function servedCapture(capture: Capture, age: NamespaceAge): Capture | undefined {
  switch (age.kind) {
    case 'unknown':
      return capture;
    case 'missing':
      return undefined;
    case 'created':
      return youngerThan(capture, age.atMs);
  }
}

function youngerThan(capture: Capture, namespaceMs: number): Capture | undefined {
  const { recordings } = capture.status;
  // Of a deletion that is all that is known of it, this is the time.
  if (recordings.length === 0) {
    return Date.parse(capture.metadata.creationTimestamp) >= namespaceMs ? capture : undefined;
  }
  const younger = recordings.filter((recording) => createdMs(recording) >= namespaceMs);
  if (younger.length === recordings.length) return capture;
  if (younger.length === 0) return undefined;
  const oldestMs = Math.min(...younger.map(({ startTime }) => Date.parse(startTime)));
  return {
    ...capture,
    metadata: { ...capture.metadata, creationTimestamp: objectTime(oldestMs) },
    status: { ...capture.status, recordings: younger },
  };
}

/**
 * When its Pod was created, by the clock that says when the namespace was: the Node's may be behind, and the recording
 * seem to have begun before, or ahead, and that of an earlier namespace seem to have begun since. An older agent says
 * only when the recording began.
 */
function createdMs({ podCreationTime, startTime }: CaptureRecording): number {
  return Date.parse(podCreationTime ?? startTime);
}
