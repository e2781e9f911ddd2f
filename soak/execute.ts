import type { HostReceiver } from '../end-to-end/support/host-receiver.ts';
import type { TestCluster } from '../end-to-end/support/test-cluster.ts';
import {
  type DesiredPod,
  desiredAfter,
  desiredWhenSettled,
  expectationAfterEnd,
  expectationOf,
  nothingDesired,
} from './desired-pods.ts';
import { inject } from './faults.ts';
import type { SoakPod } from './observation.ts';
import { isFault, isPolicyChange, type Operation, type PodChange } from './operations.ts';
import { usersOf } from './users.ts';

/** Carries out operations on the cluster, and knows what they desire of every Pod that they have created. */
export type Executor = {
  /** Resolves when the operation is done; the agents may need longer to follow. */
  readonly execute: (operation: Operation) => Promise<void>;
  readonly pods: () => readonly SoakPod[];
  /**
   * Call it when everything has settled, with the UIDs of the Pods that have a folder: forgets what was desired before,
   * and Pods that were deleted.
   */
  readonly settled: (folders: ReadonlySet<string>) => void;
};

/** An executor whose Pods are in the cluster's namespace and send to `receiver`. */
export function executor(cluster: TestCluster, receiver: HostReceiver): Executor {
  const users = usersOf(cluster, receiver);
  let desired = nothingDesired;
  /** Of the Pods that exist, by name. */
  const uids = new Map<string, string>();
  let deleted: { readonly name: string; readonly uid: string; readonly pod: DesiredPod }[] = [];

  function identified(name: string) {
    const [uid, pod] = [uids.get(name), desired.pods.get(name)];
    if (uid === undefined || !pod) throw new Error(`no Pod ${name}`);
    return { name, uid, pod };
  }

  /** Before the request is sent, too: what an agent does because of it is desired. */
  async function changePod(change: PodChange): Promise<void> {
    if (change.kind === 'delete') {
      await users.changePod(change);
      deleted.push(identified(change.pod));
      uids.delete(change.pod);
      desired = desiredAfter(desired, change);
      return;
    }
    desired = desiredAfter(desired, change);
    if (change.kind === 'create') uids.set(change.pod, await users.create(change));
    else await users.changePod(change);
  }

  function soakPod(
    { name, uid, pod: { node, past, dueText } }: ReturnType<typeof identified>,
    state: Pick<SoakPod, 'exists' | 'expected'>,
  ): SoakPod {
    return { name, uid, node, past, dueText, wasDiskFilled: desired.wasDiskFilled, ...state };
  }

  return {
    async execute(operation) {
      if (isFault(operation)) {
        desired = desiredAfter(desired, operation);
        await inject(operation, (name) => ({ ...identified(name), node: identified(name).pod.node }));
      } else if (isPolicyChange(operation)) {
        desired = desiredAfter(desired, operation);
        await users.changePolicy(operation);
      } else await changePod(operation);
    },
    pods() {
      const existing = [...uids.keys()].map((name) => {
        const found = identified(name);
        return soakPod(found, { exists: true, expected: expectationOf(found.pod, desired) });
      });
      const ended = deleted.map((each) =>
        soakPod(each, { exists: false, expected: expectationAfterEnd(each.pod, desired) }),
      );
      return [...existing, ...ended];
    },
    settled(folders) {
      deleted = [];
      const names = [...uids].flatMap(([name, uid]) => (folders.has(uid) ? [name] : []));
      desired = desiredWhenSettled(desired, new Set(names));
    },
  };
}
