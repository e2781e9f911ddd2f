import type { Pod } from '../../kubernetes/pod.ts';
import type { ObservedFreeze, RingSpec } from '../capture/pod-state.ts';
import { type CaptureSpec, tcpdumpSpecsOf } from '../planner/annotations.ts';

/** The spec of `tcpdump.antrea.io: "<files>"` alone, with the given changes. */
export function specOf(files: number, more: Partial<CaptureSpec> = {}): CaptureSpec {
  return {
    files,
    fileMegabytes: 1,
    interfaces: ['eth0'],
    filter: undefined,
    snaplen: undefined,
    durationMs: undefined,
    freeze: { on: [], afterMs: 5_000, text: undefined },
    isPaused: false,
    policy: undefined,
    ...more,
  };
}

/** The ring of eth0 for that annotation, with the given changes. */
export function ringSpecOf(files: number, more: Partial<RingSpec> = {}): RingSpec {
  const [tcpdump] = tcpdumpSpecsOf(specOf(files));
  if (!tcpdump) throw new Error('a request without an interface');
  return { ...tcpdump, files, bufferKib: 4_096, ...more };
}

/** A Pod to which nothing has happened that freezes its ring. */
export const nothingFrozen: ObservedFreeze = {
  pod: undefined,
  isPodSeen: true,
  hasEarlierCaptures: false,
  bootId: 'boot',
  log: undefined,
  ring: undefined,
  lastMs: undefined,
  capacity: 'enough',
};

/** The state of a folder of which nothing was frozen. */
export const neverFrozen = { frozenBytes: 0, freezes: { log: undefined, rings: [] } } as const;

/** A running Pod without annotations, with the given changes. */
export function podWith(fields: Partial<Pod> = {}): Pod {
  return {
    namespace: 'default',
    name: 'web',
    uid: 'uid-1',
    resourceVersion: '1',
    annotations: {},
    labels: {},
    hostNetwork: false,
    nodeName: 'node1',
    phase: 'Running',
    creationTimestamp: '2026-01-01T00:00:00Z',
    gracePeriodSeconds: 30,
    containers: [],
    ...fields,
  };
}
