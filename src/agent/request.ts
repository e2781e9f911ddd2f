import type { Pod } from '../kubernetes/pod.ts';

/** What a Pod's annotations ask for: nothing, a capture, or something that cannot be done. */
export type Request =
  | { readonly kind: 'none' }
  | ({ readonly kind: 'capture' } & CaptureSpec)
  | ({ readonly kind: 'refused' } & Refusal);

/** What is captured and how much of it is kept. */
export type CaptureSpec = {
  /** How many capture files the ring keeps. */
  readonly files: number;
};

/** Why a request is not carried out: the same word in Events, log lines, metrics and docs. */
export type Refusal = {
  readonly reason: 'InvalidAnnotation' | 'HostNetwork';
  readonly message: string;
};

export type RequestLimits = {
  /** The largest number of capture files that one Pod may ask for. */
  readonly maxFiles: number;
};

export const captureAnnotation = 'tcpdump.antrea.io';

/** Reads a Pod's annotations. Pure: knows nothing of other Pods, disks or processes. */
export function requestOf(pod: Pick<Pod, 'annotations' | 'hostNetwork'>, limits: RequestLimits): Request {
  const value = pod.annotations[captureAnnotation];
  if (value === undefined) return { kind: 'none' };
  const files = wholeNumber(value);
  if (files === undefined || files < 1 || files > limits.maxFiles) {
    return refused(
      'InvalidAnnotation',
      `annotation ${captureAnnotation}=${quoted(value)}: a whole number of capture files from 1 to ${limits.maxFiles} is allowed`,
    );
  }
  if (pod.hostNetwork) {
    return refused(
      'HostNetwork',
      'the Pod uses the host network: its interface is that of the Node and would show the packets of every Pod',
    );
  }
  return { kind: 'capture', files };
}

function refused(reason: Refusal['reason'], message: string): Request {
  return { kind: 'refused', reason, message };
}

/** Decimal digits alone: Number() would also take '0x5', '5.0', '1e1', ' 5 ' and ''. */
function wholeNumber(text: string): number | undefined {
  return /^[0-9]{1,9}$/.test(text) ? Number(text) : undefined;
}

/** The value as a person can read it back: control characters escaped, long ones cut. */
function quoted(value: string): string {
  const cut = value.length > 40 ? `${value.slice(0, 40)}…` : value;
  return JSON.stringify(cut);
}
