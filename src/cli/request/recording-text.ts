import { capturingText } from '../../agent/observability/capturing-text.ts';
import type { CaptureSpec } from '../../agent/planner/annotations.ts';
import type { CaptureRecording } from '../../api/capture.ts';
import { humanBytes } from '../../base/human-units.ts';
import { type CommandPlace, suggestedCommand } from '../suggested-command.ts';
import type { RequestAnswer } from './request-answer.ts';

/** What an agent has answered, in its words. */
export function answerText(kind: RequestAnswer['kind'], recording: CaptureRecording): string {
  const { node, files, bytes } = recording;
  switch (kind) {
    case 'capturing':
      return `${capturedText(recording)} on ${node}${because(recording)}`;
    case 'paused':
      return `paused: ${storedText({ files, bytes })} kept on ${node}`;
    case 'refused':
    case 'failed':
      return `${kind} on ${node}${because(recording)}`;
    case 'ended':
      return recording.reason === 'DurationReached'
        ? 'not captured any more, as its duration is over: --overwrite with a longer --duration continues it'
        : `not captured any more${because(recording)}`;
  }
}

export type Unanswered = {
  readonly node: string | undefined;
  readonly recording: CaptureRecording | undefined;
  /** Whether captures can be seen at all. */
  readonly isKnown: boolean;
  readonly place: CommandPlace;
};

/** What is known of a Pod whose agent has not answered; `what` was asked of it. */
export function unansweredText(what: string, { node, recording, isKnown, place }: Unanswered): string {
  if (!isKnown) return `${what} is set, and whether it is captured is not known`;
  if (node === undefined)
    return `no Node runs it yet; ${what} stays, and its packets are captured from the first on`;
  if (recording?.phase === 'Waiting') return `waiting on ${node}${because(recording)}`;
  if (recording?.phase === 'Capturing')
    return `not as it was asked for: ${capturedText(recording)} on ${node}; somebody has changed the request since, or the agent has not seen it yet`;
  const known = recording?.phase === 'Unknown' ? because(recording) : '';
  return `no answer yet from Node ${node}${known}; ${what} stays: ${suggestedCommand('kubectl podcap check', place)} says whether the agent there runs`;
}

/** What a recording asks for, as its Event says it. */
function capturedText({ interfaces, requested }: CaptureRecording): string {
  if (!requested) return `capturing ${interfaces.join(', ')}`;
  const { files, fileMegabytes, filter, snaplen, durationSeconds, freezeOn } = requested;
  const durationMs = durationSeconds === undefined ? undefined : durationSeconds * 1_000;
  const text = capturingText({ interfaces, files, fileMegabytes, filter, snaplen, durationMs });
  return freezeOn ? `${text}, freezing on ${freezeOn.join(', ')}` : text;
}

/** What a request asks for, without what becomes of it. */
export function requestText(spec: CaptureSpec): string {
  const on = spec.freeze.on.length === 0 ? '' : `, freezing on ${spec.freeze.on.join(', ')}`;
  return `${capturingText(spec)}${on}`;
}

function because({ reason, message }: Pick<CaptureRecording, 'reason' | 'message'>): string {
  if (reason === undefined) return message === undefined ? '' : `: ${message}`;
  return message === undefined ? ` (${reason})` : ` (${reason}): ${message}`;
}

/** "5 files, 4.2Mi". */
export function storedText({ files, bytes }: Pick<CaptureRecording, 'files' | 'bytes'>): string {
  return `${counted(files, 'file')}, ${humanBytes(bytes)}`;
}

/** "1 file", "2 files". */
export function counted(count: number, what: string): string {
  return count === 1 ? `1 ${what}` : `${count} ${what}s`;
}
