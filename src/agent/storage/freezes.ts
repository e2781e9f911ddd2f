import type { Clock } from '../../base/clock.ts';
import {
  type FreezeCause,
  type FreezeLog,
  readFreezeLog,
  writeFreezeLog,
  writeFreezeRecord,
} from './freeze-records.ts';
import {
  deleteFrozenRing,
  type FrozenRing,
  intendToFreeze,
  readFrozenRings,
  setAside,
  surplusRings,
} from './frozen-rings.ts';

/** What is frozen of one Pod, and what has been taken into account for that. */
export type FreezeState = {
  /** Undefined before the Pod was seen for the first time. */
  readonly log: FreezeLog | undefined;
  /** Oldest first. The newest one may still be being frozen. */
  readonly rings: readonly FrozenRing[];
};

/** Freezes the rings of Pods by UID. */
export type Freezes = {
  /** Writes down what is taken into account of a Pod from now on, and adds causes to the ring that is being frozen. */
  readonly note: (uid: string, log: FreezeLog, causes?: readonly FreezeCause[]) => Promise<void>;
  /** Writes down that the Pod's ring is to be set aside, and why. Returns how many packets were deleted for it. */
  readonly begin: (uid: string, begun: FreezeBegin) => Promise<number>;
  /**
   * Sets aside the ring that is being frozen, whose captures have ended. Returns it, and how many packets were deleted
   * with frozen rings beyond the most; undefined if none is being frozen.
   */
  readonly setAside: (
    uid: string,
    how: { readonly deletesSurplus: boolean },
  ) => Promise<{ readonly ring: FrozenRing; readonly deleted: number } | undefined>;
};

export type FreezeBegin = {
  readonly causes: readonly FreezeCause[];
  readonly log: FreezeLog;
  /** Deletes the newest frozen ring before, unless it is the first. */
  readonly replacesNewest: boolean;
};

export type FreezesOptions = {
  /** Where the captures of that UID are; undefined if there is no such folder. */
  readonly pathOf: (uid: string) => string | undefined;
  readonly stateOf: (uid: string) => FreezeState | undefined;
  /** It is this from now on. */
  readonly changed: (uid: string, state: FreezeState) => void;
  /** The name of the agent's own Pod: captures of others may still run. */
  readonly agent: string;
  /** How many frozen rings are kept of one Pod. */
  readonly mostRings: number;
  readonly clock: Clock;
};

/** What is in a Pod's folder. Throws what readdir(2) says. */
export async function readFreezes(podFolder: string): Promise<FreezeState> {
  const [log, rings] = await Promise.all([readFreezeLog(podFolder), readFrozenRings(podFolder)]);
  return { log, rings };
}

/** The ring that is to be set aside; undefined if there is none. */
export function ringInFreezing({ rings }: FreezeState): FrozenRing | undefined {
  return rings.find(({ record }) => record.frozen === undefined);
}

export function openFreezes(options: FreezesOptions): Freezes {
  const { pathOf, stateOf, changed, agent, mostRings, clock } = options;
  const ringsOf = (uid: string) => stateOf(uid)?.rings ?? [];

  return {
    async note(uid, log, causes = []) {
      const path = pathOf(uid);
      if (path === undefined) return;
      const rings = [...ringsOf(uid)];
      const at = rings.findIndex(({ record }) => record.frozen === undefined);
      const ring = rings[at];
      if (ring && causes.length > 0) {
        const record = { ...ring.record, causes: [...ring.record.causes, ...causes] };
        await writeFreezeRecord(ring.folder, record);
        rings[at] = { ...ring, record };
      }
      await writeFreezeLog(path, log);
      changed(uid, { log, rings });
    },
    async begin(uid, { causes, log, replacesNewest }) {
      const path = pathOf(uid);
      if (path === undefined) return 0;
      const newest = replacesNewest ? ringsOf(uid).slice(1).at(-1) : undefined;
      const deleted = newest ? await deleteFrozenRing(newest) : 0;
      const notFrozenBefore = log.notFrozen;
      await intendToFreeze(path, { causes, notFrozenBefore, clock });
      const next = { ...log, notFrozen: 0 };
      await writeFreezeLog(path, next);
      changed(uid, { log: next, rings: await readFrozenRings(path) });
      return deleted;
    },
    async setAside(uid, { deletesSurplus }) {
      const path = pathOf(uid);
      const before = stateOf(uid);
      const ring = before && ringInFreezing(before);
      if (path === undefined || !ring) return undefined;
      await setAside(path, ring.record, { agent, clock });
      let deleted = 0;
      const surplus = deletesSurplus ? surplusRings(await readFrozenRings(path), mostRings) : [];
      for (const each of surplus) deleted += await deleteFrozenRing(each);
      const rings = await readFrozenRings(path);
      changed(uid, { log: before.log, rings });
      const now = rings.find(({ record }) => record.number === ring.record.number);
      return now && { ring: now, deleted };
    },
  };
}
