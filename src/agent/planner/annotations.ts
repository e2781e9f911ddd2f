import { type Pod, podInterface } from '../../kubernetes/pod.ts';

/** What a Pod's annotations ask for: nothing, a capture, or something that cannot be done. */
export type Request =
  | { readonly kind: 'none' }
  | { readonly kind: 'capture'; readonly spec: CaptureSpec }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

/** What is captured and how much of it is kept. */
export type CaptureSpec = {
  /** How many capture files the ring keeps. */
  readonly files: number;
  /** Size at which the next file begins, in tcpdump's megabytes of 1,000,000 bytes. */
  readonly fileMegabytes: number;
  /** The interface in the Pod's network namespace. */
  readonly interface: string;
  /** A pcap-filter(7) expression; undefined captures every packet. */
  readonly filter: string | undefined;
  /** Bytes that are kept of each packet; undefined keeps them whole. */
  readonly snaplen: number | undefined;
  /** After so long of capturing it stops and the files stay; undefined goes on. */
  readonly durationMs: number | undefined;
};

/** Why a request is not carried out: the same word in Events, log lines, metrics and docs. */
export type Refusal = { readonly reason: RefusalReason; readonly message: string };

export type RefusalReason =
  | 'InvalidAnnotation'
  | 'HostNetwork'
  | 'InvalidFilter'
  | 'NoSuchInterface'
  | 'OverBudget'
  | 'DiskAlmostFull';

export type RequestLimits = {
  /** The largest number of capture files that one Pod may ask for. */
  readonly maxFiles: number;
  /** The largest size of a capture file that one Pod may ask for. */
  readonly maxFileMegabytes: number;
};

export const captureAnnotation = 'tcpdump.antrea.io';

/**
 * Reads a Pod's annotations. Pure: knows nothing of other Pods, disks or processes. Every value that is not allowed
 * is named; `refused` is for the first.
 */
export function requestOf(pod: Pick<Pod, 'annotations' | 'hostNetwork'>, limits: RequestLimits): Request {
  if (pod.annotations[captureAnnotation] === undefined) return { kind: 'none' };
  const rules = annotationRules(limits);
  for (const { key, parse, allowed } of Object.values(rules)) {
    const value = pod.annotations[key];
    if (value === undefined || parse(value) !== undefined) continue;
    const message = `annotation ${key}=${quoted(value)}: ${allowed} is allowed`;
    return { kind: 'refused', refusal: { reason: 'InvalidAnnotation', message } };
  }
  if (pod.hostNetwork) {
    const message =
      'the Pod uses the host network: its interface is that of the Node and would show the packets of every Pod';
    return { kind: 'refused', refusal: { reason: 'HostNetwork', message } };
  }
  const value = <T>({ key, parse }: Rule<T>) => {
    const text = pod.annotations[key];
    return text === undefined ? undefined : parse(text);
  };
  return {
    kind: 'capture',
    spec: {
      files: value(rules.files) ?? 1,
      fileMegabytes: value(rules.fileMegabytes) ?? 1,
      interface: value(rules.interface) ?? podInterface,
      filter: value(rules.filter),
      snaplen: value(rules.snaplen),
      durationMs: value(rules.duration),
    },
  };
}

type Rule<T> = {
  readonly key: string;
  /** What is allowed, in words; docs/annotations.md is made of these. */
  readonly allowed: string;
  readonly effect: string;
  /** Undefined for what is not allowed. */
  readonly parse: (value: string) => T | undefined;
};

/** Every annotation that a Pod can carry for Podcap. */
export function annotationRules({ maxFiles, maxFileMegabytes }: RequestLimits) {
  return {
    files: {
      key: captureAnnotation,
      allowed: `a whole number of capture files from 1 to ${maxFiles}`,
      effect: 'captures the Pod and keeps the newest so many files; without it nothing is captured',
      parse: (value) => wholeNumber(value, 1, maxFiles),
    },
    fileMegabytes: {
      key: 'podcap.dev/file-size',
      allowed: `a whole number of megabytes from 1 to ${maxFileMegabytes}`,
      effect: 'the size at which the next file begins, 1 without it; a megabyte is 1,000,000 bytes',
      parse: (value) => wholeNumber(value, 1, maxFileMegabytes),
    },
    interface: {
      key: 'podcap.dev/interface',
      allowed: "the name of one interface of the Pod, such as eth0, net1 or lo, and not 'any'",
      effect: `the interface that is captured, ${podInterface} without it`,
      parse: interfaceName,
    },
    filter: {
      key: 'podcap.dev/filter',
      allowed: `a pcap-filter(7) expression of 1 to ${maxFilterBytes} bytes without control characters`,
      effect: 'only packets that match are captured; addresses and ports as numbers, not as names',
      parse: filterExpression,
    },
    snaplen: {
      key: 'podcap.dev/snaplen',
      allowed: 'a whole number of bytes from 64 to 262144',
      effect: 'so many bytes of each packet are kept; 128 keeps the headers',
      parse: (value) => wholeNumber(value, 64, 262_144),
    },
    duration: {
      key: 'podcap.dev/duration',
      allowed: 'a time from 1s to 168h, such as 90s, 10m or 1h30m',
      effect: 'after so long of capturing it stops, and the files stay',
      parse: duration,
    },
  } satisfies Record<string, Rule<unknown>>;
}

/** tcpdump compiles it: what is longer is written by a machine, for a machine. */
const maxFilterBytes = 2_048;

/** Decimal digits alone: Number() would also take '0x5', '5.0', '1e1', ' 5 ' and ''. */
function wholeNumber(text: string, least: number, most: number): number | undefined {
  const number = /^[0-9]{1,9}$/.test(text) ? Number(text) : Number.NaN;
  return number >= least && number <= most ? number : undefined;
}

/**
 * 15 characters is what Linux allows; 'any' costs every Pod of the Node before kernel 6.15 (measured), and a number is
 * one of tcpdump's own list, where 1 can be 'any'.
 */
function interfaceName(text: string): string | undefined {
  return /^[A-Za-z0-9][A-Za-z0-9@._-]{0,14}$/.test(text) && /\D/.test(text) && text !== 'any'
    ? text
    : undefined;
}

/** Whether it is an expression, tcpdump decides (filter-check.ts); here only what could never be one. */
function filterExpression(text: string): string | undefined {
  const isPlain = text.trim() !== '' && !/\p{Cc}/u.test(text) && text.isWellFormed();
  return isPlain && Buffer.byteLength(text) <= maxFilterBytes ? text : undefined;
}

/** As Go and Kubernetes write it, hours to seconds: 1h30m. In milliseconds. */
function duration(text: string): number | undefined {
  const [match, hours = '0', minutes = '0', seconds = '0'] =
    /^(?:([0-9]{1,3})h)?(?:([0-9]{1,5})m)?(?:([0-9]{1,6})s)?$/.exec(text) ?? [];
  if (!match) return undefined;
  const ms = ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1_000;
  return ms >= 1_000 && ms <= 168 * 3_600_000 ? ms : undefined;
}

/** The value as a person can read it back: control characters escaped, long ones cut. */
function quoted(value: string): string {
  const cut = value.length > 40 ? `${value.slice(0, 40)}…` : value;
  return JSON.stringify(cut);
}
