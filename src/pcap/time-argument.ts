import type { PacketTime } from './merge/merge-input.ts';

/** What --since and --until accept, as an error says it. */
export const timeForms =
  'a time such as 2026-01-31T12:00:00Z, or how long ago, such as 90s, 10m, 1h30m or 2d';

/** The value of --since or --until; `nowMs` is in epoch milliseconds. Undefined if it is neither of `timeForms`. */
export function parseTime(text: string, nowMs: number): PacketTime | undefined {
  const agoMs = parseDurationMs(text);
  return agoMs === undefined ? parseTimestamp(text) : timeOf(nowMs - agoMs);
}

/** RFC 3339, to the nanosecond. */
function parseTimestamp(text: string): PacketTime | undefined {
  const parts = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?(Z|[+-]\d{2}:\d{2})$/i.exec(text);
  if (!parts) return undefined;
  const [, toTheSecond = '', fraction = '', zone = ''] = parts;
  const ms = Date.parse(`${toTheSecond}${zone}`.toUpperCase());
  if (Number.isNaN(ms) || !isCalendarDate(toTheSecond)) return undefined;
  return { seconds: ms / 1_000, nanoseconds: Number(fraction.padEnd(9, '0')) };
}

/** Date.parse takes February 30 for March 2. */
function isCalendarDate(toTheSecond: string): boolean {
  const date = new Date(`${toTheSecond.toUpperCase()}Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(toTheSecond.toUpperCase());
}

const unitMs = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000 };

function parseDurationMs(text: string): number | undefined {
  const parts = /^(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,9})s)?$/.exec(text);
  if (!parts || text === '') return undefined;
  const [, d = 0, h = 0, m = 0, s = 0] = parts;
  return Number(d) * unitMs.d + Number(h) * unitMs.h + Number(m) * unitMs.m + Number(s) * unitMs.s;
}

function timeOf(ms: number): PacketTime {
  const seconds = Math.floor(ms / 1_000);
  return { seconds, nanoseconds: Math.round((ms - seconds * 1_000) * 1e6) };
}
