import { ISO_TIMESTAMP_REGEX } from 'valibot';
import type { RecordingCounters } from '../api/capture.ts';
import type { CountersLine } from './protocol.ts';

const counts = ['packets', 'dropped', 'lostAtStop', 'missed', 'unseen'] as const;
const times = ['firstPacketTime', 'lastPacketTime'] as const;
const most = { uid: 64, time: 40 } as const;

/**
 * Reads a line of counters as `countersLineSchema` does; undefined if it is none. Written by hand, because a list of
 * 10,000 captures needs as many of them: this takes a tenth of the schema's time.
 */
export function parseCountersLine(line: string): CountersLine | undefined {
  const value = parseJson(line);
  if (!isObject(value)) return undefined;
  const { uid } = value;
  const counters = isObject(value.counters) ? countersOf(value.counters) : undefined;
  return typeof uid === 'string' && uid.length <= most.uid && counters ? { uid, counters } : undefined;
}

type JsonObject = Readonly<Partial<Record<string, unknown>>>;
type Writable<T> = { -readonly [K in keyof T]: T[K] };

function countersOf(value: JsonObject): RecordingCounters | undefined {
  const { files, bytes } = value;
  if (!isCount(files) || !isCount(bytes)) return undefined;
  const counters: Writable<RecordingCounters> = { files, bytes };
  for (const key of counts) {
    const of = value[key];
    if (isCount(of)) counters[key] = of;
    else if (of !== undefined) return undefined;
  }
  if (value.isUnseenPartial === true) counters.isUnseenPartial = true;
  else if (value.isUnseenPartial !== undefined) return undefined;
  for (const key of times) {
    const of = value[key];
    if (isTime(of)) counters[key] = of;
    else if (of !== undefined) return undefined;
  }
  return counters;
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isTime(value: unknown): value is string {
  return typeof value === 'string' && value.length <= most.time && ISO_TIMESTAMP_REGEX.test(value);
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null;
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
