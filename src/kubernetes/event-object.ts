import { randomBytes } from 'node:crypto';
import type { CoreV1Event } from '@kubernetes/client-node';

/** Something that happened to a Pod, to be written as an Event. */
export type PodEvent = {
  readonly type: 'Normal' | 'Warning';
  /** CamelCase, from a fixed set. */
  readonly reason: string;
  /** Is cut to 1,024 bytes of UTF-8. */
  readonly message: string;
  readonly pod: PodReference;
  /**
   * Events about one Pod with the same type, reason and subject are one Event, which has the newest message. Without a
   * subject, only those with the same message are.
   */
  readonly subject?: string;
  /** The message replaces the one before without counting as another occurrence: more is known of the same one. */
  readonly isCorrection?: boolean;
};

/** The Pod that an Event is about. */
export type PodReference = {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion?: string;
};

/** How many times the same Event was recorded, and when first and last (RFC 3339). */
export type Occurrences = {
  readonly count: number;
  readonly firstTimestamp: string;
  readonly lastTimestamp: string;
};

/** Who reports the Event, and on which Node. */
export type EventSource = {
  readonly component: string;
  readonly controller: string;
  readonly nodeName: string;
};

// As JSON has it: the generated type has dates instead of strings.
type WireEvent = Omit<CoreV1Event, 'firstTimestamp' | 'lastTimestamp'> & Occurrences;

/**
 * The core/v1 Event. Not events.k8s.io/v1: both are views of the same objects, but there a repeated Event must become a
 * `series`, and everything else in it is immutable. Here it is a count, which `kubectl describe` shows.
 */
export function eventObject(
  event: PodEvent,
  name: string,
  source: EventSource,
  seen: Occurrences,
): WireEvent {
  // Field by field: the caller may pass a whole Pod.
  const { namespace, name: podName, uid, resourceVersion } = event.pod;
  const version = resourceVersion === undefined ? {} : { resourceVersion };
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { namespace, name },
    involvedObject: { apiVersion: 'v1', kind: 'Pod', namespace, name: podName, uid, ...version },
    type: event.type,
    reason: event.reason,
    message: cutMessage(event.message),
    source: { component: source.component, host: source.nodeName },
    reportingComponent: source.controller,
    reportingInstance: source.nodeName,
    ...seen,
  };
}

/** A unique name for an Event, within the 253 characters of a DNS subdomain. */
export function eventName(podName: string): string {
  const suffix = randomBytes(8).toString('hex');
  // A part of a DNS name must not end in a hyphen or a dot, which the cut may leave at the end.
  const pod = podName.slice(0, 253 - 1 - suffix.length).replace(/[^a-z0-9]+$/, '');
  return `${pod}.${suffix}`;
}

/** The message in at most 1,024 bytes of UTF-8: cut between two characters, with an ellipsis at the cut. */
export function cutMessage(message: string): string {
  const bytes = Buffer.from(message, 'utf8');
  if (bytes.length <= messageBytes) return message;
  let end = messageBytes - Buffer.byteLength(ellipsis);
  while (isInsideCharacter(bytes[end])) end -= 1;
  return bytes.toString('utf8', 0, end) + ellipsis;
}

const messageBytes = 1_024;
const ellipsis = '…';

/** Whether this is a continuation byte of UTF-8: 10xxxxxx. */
function isInsideCharacter(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}
