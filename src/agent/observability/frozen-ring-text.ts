import type { FreezeCause, FreezeRecord } from '../storage/freeze-records.ts';

/** Why a ring was frozen, in words. */
export function causesText(causes: readonly FreezeCause[]): string {
  return causes.map(causeText).join('; ');
}

/** The same of one cause. */
export function causeText(cause: FreezeCause): string {
  const text = happeningText(cause);
  return cause.isLate ? `${text}, while no agent watched it` : text;
}

function happeningText({ trigger, container, exitCode, reason, finishedAt, text }: FreezeCause): string {
  switch (trigger) {
    case 'manual':
      return `asked for by podcap.dev/freeze=${JSON.stringify(text)}`;
    case 'failed':
      return 'the Pod failed';
    case 'restart':
    case 'oom-killed':
    case 'not-ready': {
      if (exitCode === undefined)
        return trigger === 'not-ready'
          ? `container ${container} is not ready`
          : `container ${container} was restarted`;
      const when = finishedAt === undefined ? '' : ` at ${finishedAt}`;
      return `container ${container} ended${when} with exit code ${exitCode}${reason ? ` (${reason})` : ''}`;
    }
  }
}

/**
 * How far back a frozen ring reaches from what caused it, and what would keep more where that is too little; empty for one
 * without packets. The kubelet gives the end of a container to the second.
 */
export function reachText({
  causes,
  time,
  frozen,
}: Pick<FreezeRecord, 'causes' | 'time' | 'frozen'>): string {
  if (frozen?.first === undefined) return '';
  const finishedAt = causes.find((cause) => cause.finishedAt !== undefined)?.finishedAt;
  const happenedMs = Date.parse(finishedAt ?? time);
  const beforeMs = happenedMs - Date.parse(frozen.first);
  const what = finishedAt === undefined ? 'its trigger' : 'the end of the container';
  if (beforeMs >= 0) return `it reaches back to ${seconds(beforeMs)} before ${what}`;
  const uncertainMs = finishedAt === undefined ? 0 : 1_000;
  if (-beforeMs <= uncertainMs) return `it reaches back to the second of ${what}`;
  return `it reaches back only to ${seconds(-beforeMs)} after ${what}: more or larger files, a filter or a snaplen would reach back further`;
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}

/** What a frozen ring has: `12 packets from … to …`. */
export function contentsText({ frozen }: Pick<FreezeRecord, 'frozen'>): string {
  if (frozen?.first === undefined || frozen.last === undefined) return 'no packets';
  const { packets, first, last } = frozen;
  const count = packets === undefined ? 'packets' : `${packets} ${packets === 1 ? 'packet' : 'packets'}`;
  return `${count} from ${first} to ${last}`;
}

/** How often nothing was frozen since the frozen ring before; empty if never. */
export function notFrozenText(count: number): string {
  return count === 0 ? '' : `${count} more ${count === 1 ? 'time' : 'times'} before, nothing was frozen`;
}
