/**
 * Why a request is not carried out. The reason is the same word in the Event, the log line, the metric and
 * docs/annotations.md.
 */
export type Refusal = {
  readonly reason: RefusalReason;
  readonly message: string;
  /** Whatever else is captured on this Node, and however full its disk is. */
  readonly isForGood?: true;
};

export type RefusalReason =
  | 'InvalidAnnotation'
  | 'InvalidPolicy'
  | 'HostNetwork'
  | 'InvalidFilter'
  | 'NoSuchInterface'
  | 'OverBudget'
  | 'DiskAlmostFull';

/** When each reason applies, and until when; docs/annotations.md has this table. */
export const refusalDescriptions: Readonly<
  Record<RefusalReason, { readonly when: string; readonly until: string }>
> = {
  InvalidAnnotation: {
    when: 'an annotation has a value that is not allowed, or starts with podcap.dev/ and is unknown; the message names it',
    until: 'the annotation is changed',
  },
  InvalidPolicy: {
    when: 'the CapturePolicy that selects the Pod has a value that is not allowed, or a field that the agent does not know, which another version of the CRD or other limits let pass; the message names the policy and the field',
    until: 'the policy is changed or deleted, expires, or does not select the Pod any more',
  },
  HostNetwork: {
    when: 'the Pod uses the host network, where a capture would show the packets of every Pod',
    until: 'the Pod is replaced',
  },
  InvalidFilter: {
    when: 'tcpdump cannot compile the filter for this interface, or needs more than 1 s or 64 MB for it, or the kernel cannot run it; host names are not resolved',
    until: 'the filter is changed',
  },
  NoSuchInterface: {
    when: 'the Pod has no interface with that name; if it has others that are asked for, those are captured',
    until: 'the interface exists; checked every 30 s',
  },
  OverBudget: {
    when: 'a budget of the Node (disk, receive rings, captures) is used up, even after deleting captures of ended Pods',
    until:
      'enough of the budget is free; if the message says that the capture cannot start on this Node: the annotation is changed',
  },
  DiskAlmostFull: {
    when: "the capture would use the part of the Node's disk that must stay free",
    until: 'enough of the disk is free',
  },
};

// No message names a number that changes by itself: each new message is another Event.

/** An annotation whose value is not allowed; `allowed` completes the sentence "must be …". */
export function invalidAnnotation(key: string, value: string, allowed: string): Refusal {
  return { reason: 'InvalidAnnotation', message: `annotation ${key}=${quoted(value)}: must be ${allowed}` };
}

/** What a word that is not known can have been: the one that is `near`, or else any of the `options`. */
type Alternatives = { readonly near: string | undefined; readonly options: readonly string[] };

function meant({ near, options }: Alternatives): string {
  return near === undefined ? `must be one of ${options.join(', ')}` : `did you mean ${near}?`;
}

/** An annotation that Podcap does not know, and the one that is `near`, or else all `options`. */
export function unknownAnnotation(key: string, { near, options }: Alternatives): Refusal {
  return {
    reason: 'InvalidAnnotation',
    message: `annotation ${key} is unknown: ${meant({ near, options })}`,
  };
}

/** A CapturePolicy with a value that is not allowed; `allowed` completes the sentence "must be …". */
export function invalidPolicy(
  name: string,
  { field, value, allowed }: { readonly field: string; readonly value: unknown; readonly allowed: string },
): Refusal {
  const given = value === undefined ? ' is missing' : `=${cut(JSON.stringify(value))}`;
  return {
    reason: 'InvalidPolicy',
    message: `CapturePolicy ${name}: spec.${field}${given}: must be ${allowed}`,
  };
}

/** A CapturePolicy with a field that this agent does not know: a newer CRD may have it. */
export function unknownPolicyField(name: string, field: string, alternatives: Alternatives): Refusal {
  return {
    reason: 'InvalidPolicy',
    message: `CapturePolicy ${name}: spec.${cut(field)} is unknown: ${meant(alternatives)}`,
  };
}

/** A Pod without a network namespace of its own. */
export const hostNetwork: Refusal = {
  reason: 'HostNetwork',
  message: 'the Pod uses the host network: a capture of its interface would show the packets of every Pod',
};

/** A filter that tcpdump does not compile; `where` is where it was set, and `problem` what tcpdump reports. */
export function invalidFilter(where: string, filter: string, problem: string): Refusal {
  const message = `${where}=${JSON.stringify(filter.slice(0, 200))}: ${problem}`;
  return { reason: 'InvalidFilter', message };
}

/** An interface that the Pod does not have, or not yet. Where it has the others, it is refused alone. */
export function noSuchInterface(name: string, retryMs: number): Refusal {
  const message = `the Pod has no interface ${name}; the agent checks again every ${retryMs / 1_000} s`;
  return { reason: 'NoSuchInterface', message };
}

/** Several refusals as one: the reason of the first, and each message once. */
export function joinedRefusals(refusals: readonly Refusal[]): Refusal {
  const [first] = refusals;
  if (!first) throw new Error('no refusal to report');
  return { ...first, message: [...new Set(refusals.map(({ message }) => message))].join('; ') };
}

/** All captures that the Node allows at a time are running, or too many for the `captures` that a Pod asks for. */
export function tooManyCaptures(maxCaptures: number, captures: number): Refusal {
  const reason = 'OverBudget';
  const limit = `this Node runs at most ${maxCaptures} captures at a time`;
  if (captures === 1) return { reason, message: `${limit}: this one starts when another one ends` };
  if (captures <= maxCaptures)
    return { reason, message: `${limit}, one for each interface: these ${captures} start when others end` };
  const message = `${limit}, one for each interface: it cannot start on this Node unless you ask for fewer interfaces`;
  return { reason, message, isForGood: true };
}

/** A ring that is larger than everything that captures may use on this Node. */
export function neverFits(ringBytes: number, usableBytes: number): Refusal {
  const message = `the capture may use ${megabytes(ringBytes)}, and all captures on this Node together may use ${megabytes(usableBytes)}: it cannot start on this Node unless you ask for fewer or smaller files`;
  return { reason: 'OverBudget', message, isForGood: true };
}

/** A ring that is larger than what is left of the Node's disk budget. */
export function overDiskBudget(ringBytes: number, budgetBytes: number): Refusal {
  const message = `the capture may use ${megabytes(ringBytes)}, and other captures leave less of the ${megabytes(budgetBytes)} that all captures on this Node together may use: it starts when enough of them have ended; fewer or smaller files may fit now`;
  return { reason: 'OverBudget', message };
}

/** A ring whose growth would use disk space that must stay free. */
export function diskAlmostFull(growthBytes: number, minFreeRatio: number): Refusal {
  const message = `the capture may use another ${megabytes(growthBytes)}, but ${Math.round(100 * minFreeRatio)} % of the Node's disk must stay free: it starts when there is enough free space; fewer or smaller files may fit now`;
  return { reason: 'DiskAlmostFull', message };
}

/** A ring that fits once other captures are deleted, and they are still there. */
export function evictionsPending(shortOf: 'budgetBytes' | 'diskBytes' | undefined): Refusal {
  const message =
    'the capture starts when captures that are not needed any more are deleted; the agent has not been able to delete them yet, because the API server must confirm it or because of an error in its log';
  return { reason: shortOf === 'diskBytes' ? 'DiskAlmostFull' : 'OverBudget', message };
}

/** Whether it ends by itself when capacity is free, whatever the Pod asks for. */
export function isForLackOfCapacity({ reason, isForGood }: Refusal): boolean {
  return isForGood !== true && (reason === 'OverBudget' || reason === 'DiskAlmostFull');
}

/** A value that can be read back: control characters are escaped, and long values are cut. */
function quoted(value: string): string {
  return JSON.stringify(cut(value));
}

function cut(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1_000_000)} MB`;
}
