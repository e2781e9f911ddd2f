import type { Logger } from 'pino';
import type { CaptureSpec } from '../planner/annotations.ts';
import type { Totals } from '../storage/capture-records.ts';
import type { PodStatus, StatusListener } from './capture-status.ts';

/** What people are told of a Pod's capture with kubectl describe. */
export type Announcement = {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
};

export type Place = { readonly nodeName: string };

/** The Event that a status is worth, if any: the one place where their words stand. */
export function announcementOf(status: PodStatus, { nodeName }: Place): Announcement | undefined {
  switch (status.kind) {
    case 'waiting':
    case 'deleted':
      return undefined;
    case 'capturing': {
      const message = `${captureOf(status.spec)} on ${nodeName}; ${passedBefore(status.missedBefore)}`;
      return { type: 'Normal', reason: 'CaptureStarted', message };
    }
    case 'interfaceDown': {
      const message = `${status.interface} was set down: nothing passes it, and it is captured again when it is up`;
      return { type: 'Warning', reason: 'InterfaceDown', message };
    }
    case 'failed':
      return { type: 'Warning', reason: 'CaptureFailed', message: `will try again: ${status.message}` };
    case 'refused':
      return { type: 'Warning', ...status.refusal };
    case 'stopped': {
      const what = stopWords[status.why];
      if (what === undefined) return undefined;
      return { type: 'Normal', reason: 'CaptureStopped', message: `${what}; ${counted(status.totals)}` };
    }
  }
}

/** Undefined where nothing is over: the next agent goes on. */
const stopWords: Readonly<Record<(PodStatus & { kind: 'stopped' })['why'], string | undefined>> = {
  PodEnded: 'the Pod ended, its capture files stay for the time of grace',
  AnnotationRemoved: 'the annotation was removed, its capture files are deleted',
  DurationReached: 'the duration is over, the capture files stay',
  Refused: 'what is asked for now is refused, the capture files so far stay',
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

function counted({ captured, doubled, dropped, lost, pruned, missed }: Totals): string {
  const twice = doubled === 0 ? '' : ` (${doubled} of them twice)`;
  return `packets captured: ${captured}${twice}, dropped by kernel: ${dropped}, lost at the stop: ${lost}, pruned: ${pruned}, missed: ${missed}`;
}

/** Writes the announcement of each status as an Event. */
export function announceByEvent(
  record: (event: Announcement & { pod: Parameters<StatusListener>[0] }) => void,
  place: Place,
): StatusListener {
  return (pod, status) => {
    const announcement = announcementOf(status, place);
    if (announcement) record({ ...announcement, pod });
  };
}

/** Writes each status as a log line: a constant message, the details as fields. */
export function announceByLog(log: Logger): StatusListener {
  return ({ namespace, name, uid }, { kind, ...details }) => {
    const fields = { namespace, pod: name, uid, ...details };
    const level = kind === 'failed' || kind === 'refused' || kind === 'interfaceDown' ? 'warn' : 'info';
    log[level](fields, logMessages[kind]);
  };
}

const logMessages: Readonly<Record<PodStatus['kind'], string>> = {
  waiting: 'waiting for the network of the Pod',
  capturing: 'capture started',
  interfaceDown: 'interface of the capture is down',
  failed: 'capture failed',
  refused: 'capture refused',
  stopped: 'capture stopped',
  deleted: 'captures deleted',
};
