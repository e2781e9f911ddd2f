import type { Expectation } from '../desired-pods.ts';
import type { ObservedPod } from '../observed-cluster.ts';

/** A Pod whose eth0 is captured into 2 files. */
export const captured: Expectation = { isAsked: true, captured: ['eth0'], folder: 'must', files: 2 };

/** Such a Pod as it is observed when everything is settled, without its folder. */
export const observedPod: ObservedPod = {
  name: 'a',
  uid: 'uid-a',
  exists: true,
  expected: captured,
  past: { hadFolder: true, askers: new Set(), isForgettable: false, mostFiles: 2, mostFilesEver: 2 },
  dueText: undefined,
  wasDiskFilled: false,
  sends: true,
  folder: undefined,
  tcpdumps: 1,
};
