import type { LinkError } from '../../link/protocol.ts';
import { parseTime, timeForms } from '../../pcap/time-argument.ts';
import { isEmptyRange, type TimeRange } from '../../pcap/time-range.ts';
import type { CaptureFormat } from '../../pcap/write/capture-writer.ts';
import { podNamePatterns } from '../storage/file-names.ts';

/** What a reader asks for of a recording. */
export type RecordingRequest = {
  /** Of the Pod. */
  readonly uid: string;
  /** A frozen ring by its number; `all`: every frozen ring and the ring itself; undefined: only the ring. */
  readonly frozen: number | 'all' | undefined;
  readonly range: TimeRange;
  readonly format: CaptureFormat;
  /** Whether what is captured later follows. */
  readonly follow: boolean;
};

/** Why there is no recording, as the hub makes a Status of it. */
export type RecordingRefusal = {
  readonly kind: 'refused';
  readonly status: number;
  readonly error: LinkError;
};

/** Reads the query; `nowMs` is in Unix time. Refuses what is not allowed and says what is. Pure. */
export function parseRecordingRequest(
  query: URLSearchParams,
  nowMs: number,
): { readonly kind: 'request'; readonly request: RecordingRequest } | RecordingRefusal {
  const rules = rulesAt(nowMs);
  for (const [name, { allowed, parse }] of Object.entries(rules)) {
    const values = query.getAll(name);
    if (values.length > 1) return invalid(`${name} can be given once`);
    const [text] = values;
    if (text !== undefined && parse(text) === undefined) return invalidValue(name, text, allowed);
  }
  const value = <T>(name: keyof typeof rules, parse: (text: string) => T) => {
    const text = query.get(name);
    return text === null ? undefined : parse(text);
  };
  const uid = value('uid', rules.uid.parse);
  if (uid === undefined) return invalid('uid is required: that of the recorded Pod');
  const request: RecordingRequest = {
    uid,
    frozen: value('frozen', rules.frozen.parse),
    range: { since: value('since', rules.since.parse), until: value('until', rules.until.parse) },
    format: value('format', rules.format.parse) ?? 'pcapng',
    follow: value('follow', rules.follow.parse) ?? false,
  };
  const problem = problemOf(request);
  return problem === undefined ? { kind: 'request', request } : invalid(problem);
}

/** A refusal in the form of the link. */
export function refuseRecording(status: number, reason: string, message: string): RecordingRefusal {
  return { kind: 'refused', status, error: { reason, message } };
}

function rulesAt(nowMs: number) {
  const time = { allowed: timeForms, parse: (text: string) => parseTime(text, nowMs) };
  return {
    uid: { allowed: 'the UID of a Pod', parse: matching(podNamePatterns.uid) },
    frozen: { allowed: 'the number of a frozen ring, or all', parse: frozenOf },
    since: time,
    until: time,
    format: { allowed: 'pcapng or pcap', parse: formatOf },
    follow: { allowed: 'true or false', parse: (text: string) => switches.get(text) },
  } as const;
}

/** As Kubernetes reads a boolean in a query. */
const switches: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['1', true],
  ['false', false],
  ['0', false],
]);

function matching(pattern: RegExp): (text: string) => string | undefined {
  return (text) => (pattern.test(text) ? text : undefined);
}

function frozenOf(text: string): number | 'all' | undefined {
  if (text === 'all') return text;
  return /^[1-9][0-9]{0,8}$/.test(text) ? Number(text) : undefined;
}

function formatOf(text: string): CaptureFormat | undefined {
  return text === 'pcapng' || text === 'pcap' ? text : undefined;
}

function problemOf({ range, follow, frozen }: RecordingRequest): string | undefined {
  if (isEmptyRange(range)) return 'since must be before until';
  if (follow && frozen !== undefined)
    return 'follow reads the ring itself, into which packets still come: leave out frozen';
  if (follow && range.until !== undefined) return 'follow has no end in time: leave out until';
  return undefined;
}

function invalidValue(name: string, text: string, allowed: string): RecordingRefusal {
  return invalid(`${name}=${JSON.stringify(text.slice(0, 200))}: must be ${allowed}`);
}

function invalid(message: string): RecordingRefusal {
  return refuseRecording(400, 'InvalidParameter', message);
}
