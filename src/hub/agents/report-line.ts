import * as v from 'valibot';
import { type ReportLine, reportLineSchema } from '../../link/protocol.ts';

/**
 * Reads a line of an agent's reports; undefined if it is none. An agent can be compromised: control characters are left
 * out, and names are those that Kubernetes allows, because they become names of objects.
 */
export function parseReportLine(line: string): ReportLine | undefined {
  const parsed = v.safeParse(reportLineSchema, parseJson(line));
  if (!parsed.success) return undefined;
  const report = parsed.output;
  if (report.kind === 'deleted') return hasValidNames(report) ? report : undefined;
  if (report.kind !== 'recording') return report;
  const { recording } = report;
  const isValid =
    hasValidNames(recording) &&
    hasValidLabels(recording.labels) &&
    // Of some dates that look valid, there is no such day.
    isTime(recording.status.startTime) &&
    isTime(recording.status.podCreationTime ?? recording.status.startTime);
  return isValid ? report : undefined;
}

function isTime(text: string): boolean {
  return Number.isFinite(Date.parse(text));
}

/** In JSON, a control character is an escape; the others that a terminal acts on are none of ASCII. */
const canBeUnprintable = /[^\x20-\x7e]|\\/;
/** Cc: control; Cf: format, such as a change of direction; Zl and Zp: separators; Cs: half a surrogate pair. */
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
const newlineOrTab = /[\n\r\t]+/g;

function parseJson(line: string): unknown {
  try {
    return canBeUnprintable.test(line)
      ? JSON.parse(line, (_key, value: unknown) => (typeof value === 'string' ? printable(value) : value))
      : JSON.parse(line);
  } catch {
    return undefined;
  }
}

function printable(text: string): string {
  return text.replaceAll(newlineOrTab, ' ').replaceAll(unprintable, '');
}

const label = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const validNamespace = new RegExp(`^${label}$`);
const validName = new RegExp(`^${label}(\\.${label})*$`);
/** The API server makes UUIDs; the UID of a static Pod is a hash. */
const validUid = /^[A-Za-z0-9-]{1,64}$/;

function hasValidNames({ namespace, name, uid }: { namespace: string; name: string; uid: string }): boolean {
  return validNamespace.test(namespace) && validName.test(name) && validUid.test(uid);
}

const qualified = '[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?';
const validLabelKey = new RegExp(`^(${label}(\\.${label})*/)?${qualified}$`);
const validLabelValue = new RegExp(`^(${qualified})?$`);

function hasValidLabels(labels: Readonly<Record<string, string>> = {}): boolean {
  return Object.entries(labels).every(
    ([key, value]) => validLabelKey.test(key) && validLabelValue.test(value),
  );
}
