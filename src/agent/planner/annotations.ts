import { nearestWord } from '../../base/nearest-word.ts';
import type { Pod } from '../../kubernetes/pod.ts';
import { podInterface } from '../netns/pod-interface.ts';
import { hostNetwork, invalidAnnotation, type Refusal, unknownAnnotation } from './refusals.ts';

/** What a Pod's annotations ask for: nothing, a capture, or something that is refused. */
export type Request =
  | { readonly kind: 'none' }
  | { readonly kind: 'capture'; readonly spec: CaptureSpec }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

/** What to capture and how much of it to keep. */
export type CaptureSpec = {
  /** How many capture files the ring keeps. */
  readonly files: number;
  /** The size at which the next file starts, in tcpdump's megabytes of 1,000,000 bytes. */
  readonly fileMegabytes: number;
  /** The interfaces in the Pod's network namespace, at least one. Each has a ring of its own. */
  readonly interfaces: readonly string[];
  /** A pcap-filter(7) expression; undefined captures every packet. */
  readonly filter: string | undefined;
  /** How many bytes of each packet are kept; undefined keeps whole packets. */
  readonly snaplen: number | undefined;
  /** The capture stops after capturing for this long, and its files stay; undefined sets no limit. */
  readonly durationMs: number | undefined;
  readonly freeze: FreezeRequest;
  /** Nothing is captured, and the files stay. */
  readonly isPaused: boolean;
  /** The name of the CapturePolicy in the Pod's namespace that asks for it; undefined: the Pod's own annotations do. */
  readonly policy: string | undefined;
};

/** When the ring is set aside, with what follows. */
export type FreezeRequest = {
  /** Empty: only by hand. */
  readonly on: readonly FreezeTrigger[];
  /** How much longer the packets of a frozen ring reach than its trigger. */
  readonly afterMs: number;
  /** Each new text freezes once; undefined does not. */
  readonly text: string | undefined;
};

/** What freezes a ring, in the words of the annotation. `failed` is the phase of the Pod. */
export const freezeTriggers = ['restart', 'oom-killed', 'not-ready', 'failed'] as const;
export type FreezeTrigger = (typeof freezeTriggers)[number];

/** Upper bounds of what one Pod may request, from the agent's settings. */
export type RequestLimits = {
  readonly maxFiles: number;
  readonly maxFileMegabytes: number;
};

/** More than this no agent allows, whatever its settings are. */
export const mostLimits: RequestLimits = { maxFiles: 10_000, maxFileMegabytes: 10_000 };

/** The annotation that asks for a capture, and for how many files of it. */
export const captureAnnotation = 'tcpdump.antrea.io';
export const filterAnnotation = 'podcap.dev/filter';
export const snaplenAnnotation = 'podcap.dev/snaplen';
export const interfaceAnnotation = 'podcap.dev/interface';
export const freezeAnnotation = 'podcap.dev/freeze';
export const pausedAnnotation = 'podcap.dev/paused';
/** What every other annotation of Podcap starts with. */
export const annotationPrefix = 'podcap.dev/';

/** tcpdump must compile it; no one writes a longer filter by hand. */
const maxFilterBytes = 2_048;
export const maxInterfaces = 4;

/**
 * Returns what a Pod's annotations ask for. Pure: knows nothing of other Pods, disks or processes. If several values
 * are not allowed, the refusal names the first in the order of annotationRules; unknown annotations come after them.
 */
export function requestOf(pod: Pick<Pod, 'annotations' | 'hostNetwork'>, limits: RequestLimits): Request {
  if (pod.annotations[captureAnnotation] === undefined) return { kind: 'none' };
  const rules = annotationRules(limits);
  for (const { key, parse, allowed } of Object.values(rules)) {
    const value = pod.annotations[key];
    if (value === undefined || parse(value) !== undefined) continue;
    return { kind: 'refused', refusal: invalidAnnotation(key, value, allowed) };
  }
  const known = Object.values(rules).map(({ key }) => key);
  const unknown = unknownRefusal(Object.keys(pod.annotations), known);
  if (unknown) return { kind: 'refused', refusal: unknown };
  if (pod.hostNetwork) return { kind: 'refused', refusal: hostNetwork };
  const value = <T>({ key, parse }: AnnotationRule<T>) => {
    const text = pod.annotations[key];
    return text === undefined ? undefined : parse(text);
  };
  return {
    kind: 'capture',
    spec: {
      files: value(rules.files) ?? 1,
      fileMegabytes: value(rules.fileMegabytes) ?? 1,
      interfaces: value(rules.interfaces) ?? [podInterface],
      filter: value(rules.filter),
      snaplen: value(rules.snaplen),
      durationMs: value(rules.duration),
      freeze: {
        on: value(rules.freezeOn) ?? [],
        afterMs: value(rules.freezeAfter) ?? defaultFreezeAfterMs,
        text: value(rules.freeze),
      },
      isPaused: value(rules.paused) ?? false,
      policy: undefined,
    },
  };
}

export type AnnotationRule<T> = {
  readonly key: string;
  /** What is allowed, as a phrase after "must be"; the admission policy has the same (_admission.tpl). */
  readonly allowed: string;
  /** What the annotation does. */
  readonly effect: string;
  /** Returns undefined for a value that is not allowed. */
  readonly parse: (value: string) => T | undefined;
};

/** What the rules say of the packets that are captured, which a tap asks for in the same words. */
export const packetRules = {
  interfaces: {
    key: interfaceAnnotation,
    allowed: `the names of 1 to ${maxInterfaces} interfaces of the Pod, such as eth0 or eth0,lo, but not 'any'`,
    effect: `the interfaces to capture, each into a ring of its own; default ${podInterface}`,
    parse: interfaceNames,
  },
  filter: {
    key: filterAnnotation,
    allowed: `a pcap-filter(7) expression of 1 to ${maxFilterBytes} bytes without control characters`,
    effect: 'captures only packets that match; addresses and ports must be numbers, not names',
    parse: filterExpression,
  },
  snaplen: {
    key: snaplenAnnotation,
    allowed: 'a whole number of bytes from 64 to 262144',
    effect: 'keeps this many bytes of each packet; default whole packets; 128 keeps the headers',
    parse: (value) => wholeNumber(value, 64, 262_144),
  },
  duration: {
    key: 'podcap.dev/duration',
    allowed: 'a duration from 1s to 168h, such as 90s, 10m or 1h30m',
    effect: 'stops after capturing for this long, and keeps the files',
    parse: (value) => duration(value, 1_000, 168 * 3_600_000),
  },
} satisfies Record<string, AnnotationRule<unknown>>;

/** All annotations that Podcap reads; the tables in docs/annotations.md and README.md are generated from them. */
export function annotationRules({ maxFiles, maxFileMegabytes }: RequestLimits) {
  return {
    files: {
      key: captureAnnotation,
      allowed: `a whole number of capture files from 1 to ${maxFiles}`,
      effect: 'captures the Pod, and keeps as many of its newest packets as this many files hold',
      parse: (value) => wholeNumber(value, 1, maxFiles),
    },
    fileMegabytes: {
      key: 'podcap.dev/file-size',
      allowed: `a whole number of megabytes from 1 to ${maxFileMegabytes}`,
      effect: 'the size at which the next file starts, in MB of 1,000,000 bytes; default 1',
      parse: (value) => wholeNumber(value, 1, maxFileMegabytes),
    },
    ...packetRules,
    freezeOn: {
      key: 'podcap.dev/freeze-on',
      allowed: `one or more of ${freezeTriggers.join(', ')}, separated by commas`,
      effect:
        'sets the ring aside when a container of the Pod crashes, so that later packets do not push it out',
      parse: (value) => distinct(value, freezeTrigger),
    },
    freezeAfter: {
      key: 'podcap.dev/freeze-after',
      allowed: 'a duration from 1s to 10m, such as 5s or 1m30s',
      effect: 'how long after its trigger a frozen ring ends; default 5s',
      parse: (value) => duration(value, 1_000, 600_000),
    },
    freeze: {
      key: freezeAnnotation,
      allowed: `a text of 1 to ${maxFreezeTextBytes} bytes without control characters`,
      effect: 'sets the ring aside now; each new text does it once',
      parse: (value) => plainText(value, maxFreezeTextBytes),
    },
    paused: {
      key: pausedAnnotation,
      allowed: 'true or false',
      effect: 'true captures nothing and keeps the files, until it is false or removed',
      parse: (value) => (value === 'true' ? true : value === 'false' ? false : undefined),
    },
  } satisfies Record<string, AnnotationRule<unknown>>;
}

/** The text of podcap.dev/freeze, by which people freeze a ring; undefined if it is not there, or not allowed. */
export function freezeTextOf({ annotations }: Pick<Pod, 'annotations'>): string | undefined {
  const value = annotations[freezeAnnotation];
  return value === undefined ? undefined : plainText(value, maxFreezeTextBytes);
}

/** Where the filter of a request was set, as people name it. */
export function filterSourceOf(request: Pick<CaptureSpec, 'policy'> | undefined): string {
  return request?.policy === undefined
    ? `annotation ${filterAnnotation}`
    : `CapturePolicy ${request.policy}: spec.filter`;
}

/**
 * Refuses the first key that only looks like one of Podcap's: without the option that it was meant to be, the capture
 * would keep something else, and nobody would notice. The API server allows a prefix in upper case too.
 */
function unknownRefusal(keys: readonly string[], known: readonly string[]): Refusal | undefined {
  const isUnknown = (key: string) => key.toLowerCase().startsWith(annotationPrefix) && !known.includes(key);
  const unknown = keys.filter(isUnknown).toSorted()[0];
  if (unknown === undefined) return undefined;
  const options = known.filter((key) => key.startsWith(annotationPrefix));
  const names = options.map((key) => key.slice(annotationPrefix.length));
  const near = nearestWord(unknown.slice(annotationPrefix.length).toLowerCase(), names);
  return unknownAnnotation(unknown, { near: near && annotationPrefix + near, options });
}

const maxFreezeTextBytes = 253;
export const defaultFreezeAfterMs = 5_000;

/** Only decimal digits: Number() would also accept '0x5', '5.0', '1e1', ' 5 ' and ''. */
export function wholeNumber(text: string, least: number, most: number): number | undefined {
  const number = /^[0-9]{1,9}$/.test(text) ? Number(text) : Number.NaN;
  return number >= least && number <= most ? number : undefined;
}

function interfaceNames(text: string): string[] | undefined {
  const names = distinct(text, interfaceName);
  return names && names.length <= maxInterfaces ? names : undefined;
}

function freezeTrigger(text: string): FreezeTrigger | undefined {
  return freezeTriggers.find((trigger) => trigger === text);
}

/** The values between commas; undefined if one is not allowed, or is there twice. */
function distinct<T>(text: string, parse: (part: string) => T | undefined): T[] | undefined {
  const parts = text.split(',');
  const values = parts.flatMap((part) => parse(part) ?? []);
  return values.length === parts.length && new Set(values).size === parts.length ? values : undefined;
}

/**
 * Linux allows 15 characters. Before kernel 6.15, 'any' slows down every Pod on the Node (measured). tcpdump takes a
 * number as an index into its own list of interfaces, where 1 can be 'any'.
 */
function interfaceName(text: string): string | undefined {
  return /^[A-Za-z0-9][A-Za-z0-9@._-]{0,14}$/.test(text) && /\D/.test(text) && text !== 'any'
    ? text
    : undefined;
}

/** Rejects only what can never be a filter; tcpdump decides about the rest (filter-check.ts). */
function filterExpression(text: string): string | undefined {
  return plainText(text, maxFilterBytes);
}

function plainText(text: string, maxBytes: number): string | undefined {
  const isPlain = text.trim() !== '' && !/\p{Cc}/u.test(text) && text.isWellFormed();
  return isPlain && Buffer.byteLength(text) <= maxBytes ? text : undefined;
}

/** Parses a Go duration of hours, minutes and seconds, such as 1h30m, to milliseconds. */
function duration(text: string, leastMs: number, mostMs: number): number | undefined {
  const [match, hours = '0', minutes = '0', seconds = '0'] =
    /^(?:([0-9]{1,3})h)?(?:([0-9]{1,5})m)?(?:([0-9]{1,6})s)?$/.exec(text) ?? [];
  if (!match) return undefined;
  const ms = ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1_000;
  return ms >= leastMs && ms <= mostMs ? ms : undefined;
}

/** What one tcpdump captures. */
export type TcpdumpSpec = Pick<CaptureSpec, 'filter' | 'snaplen' | 'fileMegabytes'> & {
  /** In the Pod's network namespace. */
  readonly interface: string;
};

/** What the tcpdump of each interface captures. */
export function tcpdumpSpecsOf({ interfaces, filter, snaplen, fileMegabytes }: CaptureSpec): TcpdumpSpec[] {
  return interfaces.map((name) => ({ interface: name, filter, snaplen, fileMegabytes }));
}

/** Whether the same tcpdump serves both: it can change the number of files, and the planner handles the duration. */
export function isSameTcpdump(a: TcpdumpSpec, b: TcpdumpSpec): boolean {
  return (
    a.interface === b.interface &&
    a.filter === b.filter &&
    a.snaplen === b.snaplen &&
    a.fileMegabytes === b.fileMegabytes
  );
}
