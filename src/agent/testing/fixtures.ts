import type { Pod } from '../../kubernetes/pod.ts';
import type { CaptureSpec } from '../planner/annotations.ts';

/** The spec of `tcpdump.antrea.io: "<files>"` alone, with the given changes. */
export function specOf(files: number, more: Partial<CaptureSpec> = {}): CaptureSpec {
  return {
    files,
    fileMegabytes: 1,
    interface: 'eth0',
    filter: undefined,
    snaplen: undefined,
    durationMs: undefined,
    ...more,
  };
}

/** A running Pod without annotations, with the given changes. */
export function podWith(fields: Partial<Pod> = {}): Pod {
  return {
    namespace: 'default',
    name: 'web',
    uid: 'uid-1',
    resourceVersion: '1',
    annotations: {},
    hostNetwork: false,
    nodeName: 'node1',
    phase: 'Running',
    creationTimestamp: '2026-01-01T00:00:00Z',
    gracePeriodSeconds: 30,
    ...fields,
  };
}
