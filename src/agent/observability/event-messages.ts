import type { Logger } from 'pino';
import type { CaptureSpec } from '../planner/annotations.ts';
import type { Totals } from '../storage/capture-records.ts';
import type { CaptureStatus, StatusListener } from './capture-status.ts';

/** What people are told of a Pod's capture with kubectl describe. */
export type EventMessage = {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
};

export type Place = { readonly nodeName: string };

/** The Event that a status is worth, if any: the one place where their words stand. */
export function eventMessageOf(status: CaptureStatus, { nodeName }: Place): EventMessage | undefined {
  switch (status.kind) {
    case 'waiting':
    case 'deleted':
      return undefined;
    case 'capturing': {
      const message = `${captureOf(status.spec)} on ${nodeName}; ${passedBefore(status.missedBefore)}`;
      return { type: 'Normal', reason: 'CaptureStarted', message };
    }
    case 'interfaceDown': {
      const message = `${status.interface} is down: no packets pass, and capturing continues when it is up`;
      return { type: 'Warning', reason: 'InterfaceDown', message };
    }
    case 'failed':
      return { type: 'Warning', reason: 'CaptureFailed', message: `will be retried: ${status.message}` };
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
const stopWords: Readonly<Record<(CaptureStatus & { kind: 'stopped' })['why'], string | undefined>> = {
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

function counted({ captured, duplicated, dropped, lostAtStop, pruned, missed }: Totals): string {
  const twice = duplicated === 0 ? '' : ` (${duplicated} of them duplicated)`;
  return `packets captured: ${captured}${twice}, dropped by kernel: ${dropped}, lost at stop: ${lostAtStop}, pruned: ${pruned}, missed: ${missed}`;
}

/** Writes the announcement of each status as an Event. */
export function reportByEvent(
  record: (event: EventMessage & { pod: Parameters<StatusListener>[0] }) => void,
  place: Place,
): StatusListener {
  return (pod, status) => {
    const announcement = eventMessageOf(status, place);
    if (announcement) record({ ...announcement, pod });
  };
}

/** Writes each status as a log line: a constant message, the details as fields. */
export function reportByLog(log: Logger): StatusListener {
  return ({ namespace, name, uid }, { kind, ...details }) => {
    const fields = { namespace, pod: name, uid, ...details };
    const level = kind === 'failed' || kind === 'refused' || kind === 'interfaceDown' ? 'warn' : 'info';
    log[level](fields, logMessages[kind]);
  };
}

const logMessages: Readonly<Record<CaptureStatus['kind'], string>> = {
  waiting: 'waiting for the Pod network',
  capturing: 'capture started',
  interfaceDown: 'capture interface is down',
  failed: 'capture failed',
  refused: 'capture refused',
  stopped: 'capture stopped',
  deleted: 'captures deleted',
};
