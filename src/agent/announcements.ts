import type { Logger } from 'pino';
import { podInterface } from './networks.ts';
import type { PodStatus, StatusListener } from './status.ts';
import type { Statistics } from './tcpdump.ts';

/** What people are told of a Pod's capture with kubectl describe. */
export type Announcement = {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
};

export type Place = { readonly nodeName: string; readonly fileMegabytes: number };

/** The Event that a status is worth, if any: the one place where their words stand. */
export function announcementOf(status: PodStatus, place: Place): Announcement | undefined {
  switch (status.kind) {
    case 'waiting':
    case 'deleted':
      return undefined;
    case 'capturing':
      return {
        type: 'Normal',
        reason: 'CaptureStarted',
        message: `capturing ${podInterface} on ${place.nodeName}, keeping the last ${filesOf(status.files)} of ${place.fileMegabytes} MB; ${passedBefore(status.missedBefore)}`,
      };
    case 'failed':
      return { type: 'Warning', reason: 'CaptureFailed', message: `will try again: ${status.message}` };
    case 'refused':
      return { type: 'Warning', reason: status.reason, message: status.message };
    case 'stopped': {
      const what = stopWords[status.why];
      if (what === undefined) return undefined;
      const message = status.total ? `${what}; ${counted(status.total)}` : what;
      return { type: 'Normal', reason: 'CaptureStopped', message };
    }
  }
}

/** Undefined where nothing is over: the next agent goes on. */
const stopWords: Readonly<Record<(PodStatus & { kind: 'stopped' })['why'], string | undefined>> = {
  PodEnded: 'the Pod ended, its capture files stay',
  AnnotationRemoved: 'the annotation was removed, its capture files are deleted',
  Refused: 'the capture that was asked for is refused, the files of the one before stay',
  AgentStopped: undefined,
};

function filesOf(files: number): string {
  return files === 1 ? '1 file' : `${files} files`;
}

function passedBefore(packets: number | undefined): string {
  if (packets === undefined) return 'how many packets passed before is not known';
  return packets === 1 ? '1 packet passed before' : `${packets} packets passed before`;
}

function counted({ captured, received, dropped }: Statistics): string {
  const lost = received - captured - dropped;
  return `packets captured: ${captured}, dropped by kernel: ${dropped}, lost at the stop: ${lost}`;
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
    const level = kind === 'failed' || kind === 'refused' ? 'warn' : 'info';
    log[level](fields, logMessages[kind]);
  };
}

const logMessages: Readonly<Record<PodStatus['kind'], string>> = {
  waiting: 'waiting for the network of the Pod',
  capturing: 'capture started',
  failed: 'capture failed',
  refused: 'capture refused',
  stopped: 'capture stopped',
  deleted: 'captures deleted',
};
