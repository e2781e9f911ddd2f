import { randomBytes } from 'node:crypto';
import type { CoreV1Event } from '@kubernetes/client-node';

/** Something to tell about a Pod. */
export type PodEvent = {
  readonly type: 'Normal' | 'Warning';
  /** CamelCase, short, one of a known set. */
  readonly reason: string;
  /** Cut to 1,024 bytes of UTF-8. */
  readonly message: string;
  readonly pod: PodReference;
};

export type PodReference = {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion?: string;
};

/** How often something was said, and when first and last (RFC 3339). */
export type Occurrences = {
  readonly count: number;
  readonly firstTimestamp: string;
  readonly lastTimestamp: string;
};

export type EventSource = {
  readonly component: string;
  readonly controller: string;
  readonly nodeName: string;
};

// As they are on the wire: the generated type has dates where JSON has strings.
type WireEvent = Omit<CoreV1Event, 'firstTimestamp' | 'lastTimestamp'> & Occurrences;

/**
 * The core/v1 Event for it. Not events.k8s.io/v1: both are views of the same objects, and there a repeated Event must
 * become a `series`, everything else of it is immutable; here it is a count, as `kubectl describe` shows it.
 */
export function eventObject(
  event: PodEvent,
  name: string,
  source: EventSource,
  seen: Occurrences,
): WireEvent {
  // One by one: what is passed may be a whole Pod.
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

/** A name of its own, within the 253 characters of a DNS subdomain. */
export function eventName(podName: string): string {
  const suffix = randomBytes(8).toString('hex');
  // A part of a DNS name must not end in what a cut may leave at its end.
  const pod = podName.slice(0, 253 - 1 - suffix.length).replace(/[^a-z0-9]+$/, '');
  return `${pod}.${suffix}`;
}

/** At most 1,024 bytes of UTF-8, with an ellipsis where something is missing; never half a character. */
export function cutMessage(message: string): string {
  const bytes = Buffer.from(message, 'utf8');
  if (bytes.length <= messageBytes) return message;
  let end = messageBytes - Buffer.byteLength(ellipsis);
  while (isInsideCharacter(bytes[end])) end -= 1;
  return bytes.toString('utf8', 0, end) + ellipsis;
}

const messageBytes = 1_024;
const ellipsis = '…';

/** UTF-8's continuation bytes are 10xxxxxx. */
function isInsideCharacter(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}
