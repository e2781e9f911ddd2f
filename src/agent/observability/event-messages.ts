import type { CaptureSpec } from '../planner/annotations.ts';
import type { Totals } from '../storage/capture-records.ts';
import type { CaptureStatus, StatusListener, StopReason } from './capture-status.ts';

/** An Event about a Pod's capture, as kubectl describe shows it. */
export type EventMessage = {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
};

/** Where the captures run. */
export type Place = { readonly nodeName: string };

/**
 * The Event about a status; undefined for a status that needs none. All words of Events are here, except why a capture
 * is refused (planner/refusals.ts) and why it failed (capture/write-error-message.ts, or tcpdump's own words).
 */
export function eventMessageOf(status: CaptureStatus, { nodeName }: Place): EventMessage | undefined {
  switch (status.kind) {
    case 'waiting':
    case 'deleted':
      return undefined;
    case 'capturing': {
      const message = `${captureOf(status.spec)} on ${nodeName}; ${passedBefore(status.missedBefore)}`;
      if (!status.isOtherInterface) return { type: 'Normal', reason: 'CaptureStarted', message };
      const replaced = `another interface has become ${status.spec.interface}: ${message}`;
      return { type: 'Warning', reason: 'InterfaceReplaced', message: replaced };
    }
    case 'interfaceDown': {
      const message = `${status.interface} is down: no packets pass, and capturing continues when it is up`;
      return { type: 'Warning', reason: 'InterfaceDown', message };
    }
    case 'interfaceRenamed': {
      const message = `${status.interface} was renamed ${JSON.stringify(status.name)}: it is still captured, until another interface becomes ${status.interface}`;
      return { type: 'Warning', reason: 'InterfaceRenamed', message };
    }
    case 'failed':
      return { type: 'Warning', reason: 'CaptureFailed', message: `will be retried: ${status.message}` };
    case 'refused':
      return { type: 'Warning', ...status.refusal };
    case 'stopped': {
      const why = stopReasons[status.why];
      if (why === undefined) return undefined;
      return { type: 'Normal', reason: 'CaptureStopped', message: `${why}; ${packetCounts(status.totals)}` };
    }
  }
}

/** Undefined where the capture is not over: the next agent continues it. */
const stopReasons: Readonly<Record<StopReason, string | undefined>> = {
  PodEnded: 'the Pod ended, its capture files are kept for the retention time',
  AnnotationRemoved: 'the annotation was removed, its capture files are deleted',
  DurationReached: 'the duration is over, the capture files are kept',
  Refused: 'the new request is refused, the capture files so far are kept',
  AgentStopped: undefined,
};

function captureOf({
  interface: name,
  files,
  fileMegabytes,
  filter,
  snaplen,
  durationMs,
}: CaptureSpec): string {
  const details = [
    `keeping the last ${files === 1 ? 'file' : `${files} files`} of ${fileMegabytes} MB`,
    filter !== undefined && `filter ${JSON.stringify(filter)}`,
    snaplen !== undefined && `${snaplen} bytes of each packet`,
    durationMs !== undefined && `for ${durationMs / 1_000} s`,
  ];
  return `capturing ${name}, ${details.filter((detail) => detail !== false).join(', ')}`;
}

function passedBefore(packets: number | undefined): string {
  if (packets === undefined) return 'how many packets passed before is not known yet';
  return packets === 1 ? '1 packet passed before' : `${packets} packets passed before`;
}

function packetCounts(totals: Totals): string {
  const { captured, duplicated, dropped, lostAtStop, pruned, missed } = totals;
  const duplicates = duplicated === 0 ? '' : ` (${duplicated} of them duplicated)`;
  return `packets captured: ${captured}${duplicates}, dropped by kernel: ${dropped}, lost at stop: ${lostAtStop}, pruned: ${pruned}, missed: ${missed}, unseen: ${unseenCount(totals)}`;
}

function unseenCount({ unseen, isUnseenPartial }: Totals): string {
  if (unseen === undefined) return 'unknown';
  return isUnseenPartial ? `${unseen} (unknown for a part)` : `${unseen}`;
}

/** Records the Event about each status that has one. */
export function reportByEvent(
  record: (event: EventMessage & { pod: Parameters<StatusListener>[0] }) => void,
  place: Place,
): StatusListener {
  return (pod, status) => {
    const message = eventMessageOf(status, place);
    if (message) record({ ...message, pod });
  };
}
