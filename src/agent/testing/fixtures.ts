import type { Pod } from '../../kubernetes/pod.ts';
import type { CaptureSpec } from '../planner/annotations.ts';

/** What `tcpdump.antrea.io: "<files>"` alone asks for, but for what is given. */
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

/** A running Pod without annotations, but for what is given. */
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
    ...fields,
  };
}
