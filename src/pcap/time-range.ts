import type { PacketTime } from './merge/merge-input.ts';

/** Packets from `since` on and before `until`. */
export type TimeRange = { readonly since: PacketTime | undefined; readonly until: PacketTime | undefined };

/** Whether a time is in the range. */
export function isInRange({ since, until }: TimeRange, time: PacketTime): boolean {
  return (since === undefined || !isBefore(time, since)) && (until === undefined || isBefore(time, until));
}

/** Whether a range has both ends, and no time between them. */
export function isEmptyRange({ since, until }: TimeRange): boolean {
  return since !== undefined && until !== undefined && !isBefore(since, until);
}

function isBefore(a: PacketTime, b: PacketTime): boolean {
  return a.seconds === b.seconds ? a.nanoseconds < b.nanoseconds : a.seconds < b.seconds;
}
