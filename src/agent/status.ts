import type { Pod } from '../kubernetes/pod.ts';
import type { RecorderReport } from './recorder.ts';
import type { Refusal } from './request.ts';

/** What is known of every Pod that has something to do with captures. */
export type Status = {
  /** Something happened to that Pod's capture; the same again is no news. */
  readonly report: (pod: PodName, status: PodStatus) => void;
  /** Nothing of that UID is left. */
  readonly forget: (uid: string) => void;
  readonly of: (uid: string) => PodStatus | undefined;
};

export type PodName = Pick<Pod, 'namespace' | 'name' | 'uid'>;

/** One value per UID: the newest that happened. */
export type PodStatus =
  | RecorderReport
  | ({ readonly kind: 'refused' } & Refusal)
  | { readonly kind: 'deleted' };

/** Told of each change, in order. */
export type StatusListener = (pod: PodName, status: PodStatus) => void;

export function podStatuses(listeners: readonly StatusListener[]): Status {
  const statuses = new Map<string, PodStatus>();

  return {
    report(pod, status) {
      if (isSameStatus(statuses.get(pod.uid), status)) return;
      statuses.set(pod.uid, status);
      for (const listener of listeners) listener(pod, status);
    },
    forget: (uid) => statuses.delete(uid),
    of: (uid) => statuses.get(uid),
  };
}

function isSameStatus(a: PodStatus | undefined, b: PodStatus): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
