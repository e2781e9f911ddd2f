import { setTimeout as sleep } from 'node:timers/promises';
import type { Tcpdump } from './tcpdump.ts';
import type { TcpdumpStatistics } from './tcpdump-output.ts';

/** A healthy tcpdump answers within milliseconds; the rest is for an overloaded machine. */
const answerWithinMs = 10_000;

/** Returns undefined if tcpdump ends before it answers, and `silence` if it does not answer in time. Never rejects. */
export async function askForStatistics(
  tcpdump: Pick<Tcpdump, 'count'>,
): Promise<TcpdumpStatistics | 'silence' | undefined> {
  const answered = new AbortController();
  const silence = sleep(answerWithinMs, 'silence' as const, { signal: answered.signal });
  try {
    return await Promise.race([tcpdump.count(), silence.catch(() => undefined)]);
  } finally {
    answered.abort();
  }
}

/** How many packets tcpdump has received by now; undefined without an answer. Never rejects. */
export async function askReceived(tcpdump: Pick<Tcpdump, 'count'>): Promise<number | undefined> {
  const answer = await askForStatistics(tcpdump);
  return answer === 'silence' ? undefined : answer?.received;
}
