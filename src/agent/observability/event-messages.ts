import { plainText } from '../../base/plain-text.ts';
import type { PodEvent } from '../../kubernetes/event-object.ts';
import { filterAnnotation, snaplenAnnotation } from '../planner/annotations.ts';
import type { Totals } from '../storage/capture-records.ts';
import type { FreezeRecord } from '../storage/freeze-records.ts';
import type { CaptureReport, StatusListener } from './capture-status.ts';
import { type CapturingReport, refusalOfInterfaces, startsOf } from './capturing-report.ts';
import { capturingText, namesOf } from './capturing-text.ts';
import { causesText, contentsText, notFrozenText, reachText } from './frozen-ring-text.ts';
import type { MissedBefore, StopReason } from './recording-report.ts';

/** An Event about a Pod's capture, as kubectl describe shows it. */
export type EventMessage = {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
} & Pick<PodEvent, 'subject' | 'isCorrection'>;

/** Where the captures run, and whether that agent stops because all agents are uninstalled. */
export type Place = { readonly nodeName: string; readonly isUninstall: () => boolean };

/**
 * The Event about a report; undefined for a report that needs none. All words of Events are here, except why a capture
 * is refused (planner/refusals.ts) and why it failed (capture/write-error-message.ts, or tcpdump's own words), and
 * tcpdump's warnings.
 */
export function eventMessageOf(
  status: CaptureReport,
  { nodeName, isUninstall }: Place,
): EventMessage | undefined {
  switch (status.kind) {
    case 'deleted':
      return undefined;
    case 'waiting': {
      if (status.problem === undefined) return undefined;
      const message = `waiting for the Pod's network on ${nodeName}: ${status.problem}`;
      return { type: 'Warning', reason: 'WaitingForNetwork', message };
    }
    case 'capturing':
      return capturingMessageOf(status, nodeName);
    case 'interfaceDown': {
      const message = `${status.interface} is down: no packets pass, and capturing continues when it is up`;
      return { type: 'Warning', reason: 'InterfaceDown', message };
    }
    case 'warning':
      return { type: 'Warning', reason: 'CaptureWarning', message: `tcpdump continues: ${status.message}` };
    case 'frozen':
      return frozenMessage(status.ring);
    case 'notFrozen': {
      if (status.why === 'TooSoon') return undefined;
      const message = `${causesText(status.causes)}: the ring is not frozen, because the capacity of ${nodeName} is used up; the capture continues`;
      return { type: 'Warning', reason: 'CaptureNotFrozen', message };
    }
    case 'interfaceRenamed': {
      const message = `${status.interface} was renamed ${JSON.stringify(status.name)}: it is still captured, until another interface becomes ${status.interface}`;
      return { type: 'Warning', reason: 'InterfaceRenamed', message };
    }
    case 'failed':
      return { type: 'Warning', reason: 'CaptureFailed', message: `will be retried: ${status.message}` };
    case 'refused':
      return { type: 'Warning', ...status.refusal };
    case 'paused':
      return {
        type: 'Normal',
        reason: 'CapturePaused',
        message: 'the request is paused, nothing is captured',
      };
    case 'stopped': {
      const why = status.why === 'AgentStopped' && isUninstall() ? uninstalled : stopReasons[status.why];
      if (why === undefined) return undefined;
      const reason = status.why === 'Paused' ? 'CapturePaused' : 'CaptureStopped';
      return { type: 'Normal', reason, message: `${why}; ${packetCounts(status.totals)}` };
    }
  }
}

function frozenMessage(ring: FreezeRecord): EventMessage {
  const parts = [
    causesText(ring.causes),
    `frozen ring ${ring.number} has ${contentsText(ring)}`,
    reachText(ring),
    notFrozenText(ring.notFrozenBefore),
  ];
  const message = `${parts.filter((part) => part !== '').join('; ')}; read it with captures/log?frozen=${ring.number} or podcap read --frozen ${ring.number}`;
  return { type: 'Normal', reason: 'CaptureFrozen', message, subject: `frozen ring ${ring.number}` };
}

function capturingMessageOf(report: CapturingReport, nodeName: string): EventMessage {
  const { missedBefore, generation, spec, refused } = report;
  const asked = spec.policy === undefined ? '' : `, as CapturePolicy ${spec.policy} asks`;
  const message = `${capturingText(spec)} on ${nodeName}${asked}; ${passedBefore(missedBefore)}`;
  const update = updateOf(missedBefore, generation);
  const replaced = startsOf(report).filter(({ isOtherInterface }) => isOtherInterface);
  if (refused) {
    const { reason, message: why } = refusalOfInterfaces(refused);
    return { type: 'Warning', reason, message: `${why}; ${message}`, ...update };
  }
  if (replaced.length === 0) return { type: 'Normal', reason: 'CaptureStarted', message, ...update };
  const names = namesOf(replaced.map((start) => start.interface));
  const became = `another interface has become ${names}: ${message}`;
  return { type: 'Warning', reason: 'InterfaceReplaced', message: became, ...update };
}

/** Undefined where the capture is not over: the next agent continues it. */
const stopReasons: Readonly<Record<StopReason, string | undefined>> = {
  PodEnded: 'the Pod ended, its capture files are kept for the retention time',
  NotMatched: 'no CapturePolicy asks for it any more, its capture files are kept for the retention time',
  AnnotationRemoved: 'the annotation was removed, its capture files are deleted',
  DurationReached: 'the duration is over, the capture files are kept',
  Paused: 'the request is paused, the capture files so far are kept',
  Refused: 'the request is refused, the capture files so far are kept',
  AgentStopped: undefined,
};

const uninstalled = 'Podcap is being uninstalled, the capture files stay on the Node';

function passedBefore(missedBefore: MissedBefore): string {
  switch (missedBefore.kind) {
    case 'first':
      if (missedBefore.packets === 0) return 'no packet passed before';
      return `${packets(missedBefore.packets)} passed before, including those of the network's setup, such as neighbour discovery`;
    case 'gap':
      return [
        missedBefore.packets === 0
          ? 'continued without a gap'
          : `at most ${packets(missedBefore.packets)} missed since the previous capture`,
        ...(missedBefore.firstPackets === undefined
          ? []
          : [`${packets(missedBefore.firstPackets)} passed interfaces that were not captured before`]),
      ].join(', and ');
    case 'unknown':
      return 'whether packets were missed since the previous capture is known in half a minute';
  }
}

/** What was not known becomes known in the same Event. */
function updateOf(
  missedBefore: MissedBefore,
  generation: number,
): Pick<EventMessage, 'subject' | 'isCorrection'> {
  const subject = `start ${generation}`;
  if (missedBefore.kind === 'unknown') return { subject };
  return missedBefore.kind === 'gap' && missedBefore.isSettled ? { subject, isCorrection: true } : {};
}

/** Packets that are in no file, by cause. */
export type Loss = Pick<Totals, 'dropped' | 'lostAtStop' | 'missed'>;

/**
 * The Event about packets that a running capture has lost: `more` since the last such Event, `totals` of all captures of
 * the Pod. It says why, and what helps.
 */
export function lossMessageOf(more: Loss, totals: Totals): EventMessage {
  const causes = [
    more.dropped > 0 &&
      `${more.dropped} dropped by the kernel (${totals.dropped} in all), because tcpdump did not keep up: ${snaplenAnnotation}=128, a ${filterAnnotation}, more memory for receive rings (--buffer-budget-megabytes) or fewer captures on the Node help`,
    more.lostAtStop > 0 &&
      `${more.lostAtStop} lost at stop (${totals.lostAtStop} in all), because they could not be written: the Event CaptureFailed has the cause`,
    more.missed > 0 &&
      `at most ${more.missed} missed (${totals.missed} in all), because nothing captured while tcpdump or the agent started again`,
  ];
  const message = `packets that are in no file: ${causes.filter((cause) => cause !== false).join('; ')}`;
  return { type: 'Warning', reason: 'PacketsLost', message, subject: 'loss' };
}

/** The Event that a healthy capture always has, with what all captures of the Pod have counted so far. */
export function progressMessageOf(totals: Totals, { nodeName }: Pick<Place, 'nodeName'>): EventMessage {
  const message = `still capturing on ${nodeName}; ${packetCounts(totals)}`;
  return { type: 'Normal', reason: 'Capturing', message, subject: 'progress' };
}

function packets(count: number): string {
  return count === 1 ? '1 packet' : `${count} packets`;
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

/** Records the Event about each status that has one, as text: tcpdump's words can quote anything. */
export function reportByEvent(
  record: (event: EventMessage & { pod: Parameters<StatusListener>[0] }) => void,
  place: Place,
): StatusListener {
  return (pod, status) => {
    const message = eventMessageOf(status, place);
    if (message) record({ ...message, message: plainText(message.message), pod });
  };
}
