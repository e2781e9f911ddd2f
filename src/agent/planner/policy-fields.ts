import { nearestWord } from '../../base/nearest-word.ts';
import { podInterface } from '../netns/pod-interface.ts';
import {
  type AnnotationRule,
  annotationRules,
  type CaptureSpec,
  defaultFreezeAfterMs,
  freezeTriggers,
  maxInterfaces,
  type RequestLimits,
} from './annotations.ts';

/** A field of a CapturePolicy's spec: like the annotation, but a JSON value. */
export type PolicyField<T> = {
  readonly field: string;
  /** What is allowed, as a phrase after "must be"; the CRD says the same (deploy/chart/templates/crd.yaml). */
  readonly allowed: string;
  readonly effect: string;
  /** Returns undefined for a value that is not allowed. */
  readonly parse: (value: unknown) => T | undefined;
};

/** All fields of a CapturePolicy's spec but the selector; the table in docs/policies.md is generated from them. */
export function policyFields(limits: RequestLimits) {
  const rules = annotationRules(limits);
  return {
    files: like('files', rules.files, wholeNumber),
    fileMegabytes: like('fileSize', rules.fileMegabytes, wholeNumber),
    interfaces: {
      ...like('interfaces', rules.interfaces, listText),
      allowed: `a list of the names of 1 to ${maxInterfaces} interfaces of the Pod, such as eth0, but not 'any'`,
    },
    filter: like('filter', rules.filter, textOf),
    snaplen: like('snaplen', rules.snaplen, wholeNumber),
    duration: like('duration', rules.duration, textOf),
    freezeOn: {
      ...like('freezeOn', rules.freezeOn, listText),
      allowed: `a list of one or more of ${freezeTriggers.join(', ')}`,
    },
    freezeAfter: like('freezeAfter', rules.freezeAfter, textOf),
    paused: {
      ...like('paused', rules.paused, (value) => (typeof value === 'boolean' ? String(value) : undefined)),
      effect: 'true captures nothing and keeps the files, until it is false or removed',
    },
    expires: {
      field: 'expires',
      allowed: 'a time in RFC 3339, such as 2027-01-31T18:00:00Z',
      effect: 'from that time on, the policy matches no Pod',
      parse: timeMs,
    },
  } satisfies Record<string, PolicyField<unknown>>;
}

/** What a spec asks for; `field` as in spec.field. */
export type ParsedPolicySpec =
  /** The name of the policy and the annotation podcap.dev/freeze of a Pod are not part of it. */
  | { readonly kind: 'valid'; readonly capture: Omit<CaptureSpec, 'policy'> }
  /** `value` undefined: it is missing. */
  | { readonly kind: 'invalid'; readonly field: string; readonly value: unknown; readonly allowed: string }
  /** `near`: what it was meant to be; undefined: any of the `options`. */
  | {
      readonly kind: 'unknown';
      readonly field: string;
      readonly near: string | undefined;
      readonly options: readonly string[];
    };

/**
 * Reads the spec of a CapturePolicy. Null is no value, as for the API server. An unknown field refuses it: a newer CRD may
 * have one that makes a capture smaller. Of several values that are not allowed, it names the first of policyFields. Pure.
 */
export function parsePolicySpec(
  spec: Readonly<Record<string, unknown>>,
  limits: RequestLimits,
): ParsedPolicySpec {
  const fields = policyFields(limits);
  const unknown = unknownField(
    spec,
    Object.values(fields).map(({ field }) => field),
  );
  if (unknown) return unknown;
  for (const { field, parse, allowed } of Object.values(fields)) {
    const value = spec[field] ?? undefined;
    const isOptional = field !== fields.files.field;
    if ((value === undefined && isOptional) || parse(value) !== undefined) continue;
    return { kind: 'invalid', field, value, allowed };
  }
  const value = <T>({ field, parse }: PolicyField<T>) => {
    const given = spec[field] ?? undefined;
    return given === undefined ? undefined : parse(given);
  };
  return {
    kind: 'valid',
    capture: {
      files: value(fields.files) ?? 1,
      fileMegabytes: value(fields.fileMegabytes) ?? 1,
      interfaces: value(fields.interfaces) ?? [podInterface],
      filter: value(fields.filter),
      snaplen: value(fields.snaplen),
      durationMs: value(fields.duration),
      freeze: {
        on: value(fields.freezeOn) ?? [],
        afterMs: value(fields.freezeAfter) ?? defaultFreezeAfterMs,
        text: undefined,
      },
      isPaused: value(fields.paused) ?? false,
    },
  };
}

/** When a spec expires, in milliseconds of Unix time, whatever its other fields are; undefined: never, or unreadable. */
export function expiryOf(spec: Readonly<Record<string, unknown>>): number | undefined {
  return timeMs(spec['expires']);
}

/** The first field with a value that is neither the selector nor one of the `known`. */
function unknownField(
  spec: Readonly<Record<string, unknown>>,
  known: readonly string[],
): (ParsedPolicySpec & { kind: 'unknown' }) | undefined {
  const options = ['selector', ...known];
  const field = Object.keys(spec)
    .filter((key) => !options.includes(key) && (spec[key] ?? undefined) !== undefined)
    .toSorted()[0];
  return field === undefined
    ? undefined
    : { kind: 'unknown', field, near: nearestWord(field.slice(0, 64), options), options };
}

/** The field allows what the annotation allows. `write` returns what the annotation would have, if it is of the right type. */
function like<T>(
  field: string,
  { allowed, effect, parse }: AnnotationRule<T>,
  write: (value: unknown) => string | undefined,
): PolicyField<T> {
  return {
    field,
    allowed,
    effect,
    parse(value) {
      const given = write(value);
      return given === undefined ? undefined : parse(given);
    },
  };
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function wholeNumber(value: unknown): string | undefined {
  return Number.isSafeInteger(value) ? String(value) : undefined;
}

/** Separated by commas, which no value has; undefined for an empty list. */
function listText(value: unknown): string | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined;
  return value.every((each) => typeof each === 'string' && !each.includes(',')) ? value.join(',') : undefined;
}

/** As Kubernetes reads times: with a time zone, in capitals, and without a leap second. */
function timeMs(value: unknown): number | undefined {
  if (typeof value !== 'string' || !rfc3339.test(value) || !isDay(value)) return undefined;
  return Date.parse(value);
}

const rfc3339 =
  /^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$/;

/** Date.parse makes March 2 of February 30. There is no year 0. */
function isDay(text: string): boolean {
  const day = text.slice(0, 10);
  const ms = Date.parse(`${day}T00:00:00Z`);
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(day) && !day.startsWith('0000');
}
