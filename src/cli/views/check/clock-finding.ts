import type { Finding } from './finding.ts';

/** What the API server's clock said in an answer, and when that was asked for and came (ms of Unix time here). */
export type ClockReading = {
  readonly date: string | undefined;
  readonly sentMs: number;
  readonly receivedMs: number;
};

/** Whether this machine's clock agrees with the API server's: times such as those of --since are told by this one. */
export function clockFinding(reading: ClockReading): Finding {
  const subject = 'clocks';
  const aheadMs = clockAheadMs(reading);
  if (aheadMs === undefined)
    return { status: 'note', subject, text: 'not known: the API server did not say what time it is' };
  if (Math.abs(aheadMs) <= toleratedMs)
    return { status: 'ok', subject, text: "this machine's clock agrees with the API server's" };
  const seconds = Math.round(Math.abs(aheadMs) / 1_000);
  const text =
    `this machine's clock is ${seconds} s ${aheadMs > 0 ? 'ahead of' : 'behind'} the API server's: ` +
    'set it (NTP), or give --since and --until as times of the cluster';
  return { status: 'fix', subject, text };
}

const toleratedMs = 5_000;

/** At least how far the clock here is ahead; negative: behind. The answer was made between the two times. */
function clockAheadMs({ date, sentMs, receivedMs }: ClockReading): number | undefined {
  const serverMs = Date.parse(date ?? '');
  if (Number.isNaN(serverMs)) return undefined;
  // The header has whole seconds, rounded down.
  const [least, most] = [sentMs - serverMs - 1_000, receivedMs - serverMs];
  if (least > 0) return least;
  return most < 0 ? most : 0;
}
