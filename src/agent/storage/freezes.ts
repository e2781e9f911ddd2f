import type { Clock } from '../../base/clock.ts';
import {
  type FreezeCause,
  type FreezeLog,
  type FreezeRecord,
  readFreezeLog,
  writeFreezeLog,
  writeFreezeRecord,
} from './freeze-records.ts';
import {
  type DeletedPackets,
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

/**
 * Freezes the rings of Pods by UID. Two agents may do that at once, during a rolling update: each of these does nothing if
 * what is on the disk is not what was decided from, and what is there is known then.
 */
export type Freezes = {
  /** Writes down what is taken into account of a Pod from now on, and adds causes to the ring that is being frozen. */
  readonly note: (uid: string, noted: NotedMoments, causes?: readonly FreezeCause[]) => Promise<void>;
  /** Writes down that the Pod's ring is to be set aside, and why. Returns how many packets were deleted for it. */
  readonly begin: (uid: string, begun: FreezeBegin) => Promise<DeletedPackets>;
  /**
   * Sets aside the ring that is being frozen, whose captures have ended. Returns it, and how many packets were deleted
   * with frozen rings beyond the most; undefined if none is being frozen.
   */
  readonly setAside: (
    uid: string,
    how: { readonly deletesSurplus: boolean },
  ) => Promise<{ readonly record: FreezeRecord; readonly deleted: readonly DeletedPackets[] } | undefined>;
};

/** What is taken into account of a Pod from now on. */
export type NotedMoments = Pick<FreezeLog, 'seen' | 'notFrozen'>;

export type FreezeBegin = {
  readonly causes: readonly FreezeCause[];
  readonly log: NotedMoments;
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
  /** The agent of that capture of that UID is dead: counts its packets. */
  readonly countDead: (uid: string, generation: number) => Promise<void>;
  readonly clock: Clock;
};

/** What is in a Pod's folder. Throws what readdir(2) says. */
export async function readFreezes(podFolder: string): Promise<FreezeState> {
  const [written, rings] = await Promise.all([readFreezeLog(podFolder), readFrozenRings(podFolder)]);
  const logs = [written, ...rings.map(({ record }) => record.log)].filter((log) => log !== undefined);
  return { log: logs.toSorted((a, b) => b.sequence - a.sequence)[0], rings };
}

/** The ring that is to be set aside; undefined if there is none. */
export function ringInFreezing({ rings }: FreezeState): FrozenRing | undefined {
  return rings.find(({ record }) => record.frozen === undefined);
}

export function openFreezes(options: FreezesOptions): Freezes {
  const { pathOf, stateOf, changed, agent, mostRings, countDead, clock } = options;

  /** Undefined if the folder is gone, or if another agent has changed since what was decided from: then that counts. */
  async function current(uid: string): Promise<{ path: string; state: FreezeState } | undefined> {
    const path = pathOf(uid);
    if (path === undefined) return undefined;
    const state = await readFreezes(path);
    const known = stateOf(uid);
    const isKnown =
      known?.log?.sequence === state.log?.sequence &&
      known !== undefined &&
      ringInFreezing(known)?.record.number === ringInFreezing(state)?.record.number;
    if (isKnown) return { path, state };
    changed(uid, state);
    return undefined;
  }

  return {
    async note(uid, noted, causes = []) {
      const now = await current(uid);
      if (!now) return;
      const log = { ...noted, sequence: nextSequence(now.state) };
      const ring = ringInFreezing(now.state);
      if (ring && causes.length > 0) {
        const record = { ...ring.record, causes: [...ring.record.causes, ...causes], log };
        await writeFreezeRecord(ring.folder, record);
      } else await writeFreezeLog(now.path, log);
      changed(uid, await readFreezes(now.path));
    },
    async begin(uid, { causes, log, replacesNewest }) {
      const now = await current(uid);
      if (!now || ringInFreezing(now.state)) return new Map();
      const newest = replacesNewest ? now.state.rings.slice(1).at(-1) : undefined;
      await intendToFreeze(now.path, {
        causes,
        notFrozenBefore: log.notFrozen,
        log: { ...log, notFrozen: 0, sequence: nextSequence(now.state) },
        clock,
      });
      changed(uid, await readFreezes(now.path));
      return newest ? await deleteFrozenRing(newest) : new Map();
    },
    async setAside(uid, { deletesSurplus }) {
      const now = await current(uid);
      const ring = now && ringInFreezing(now.state);
      if (!ring) return undefined;
      const record = await setAside(now.path, ring.record, {
        agent,
        clock,
        countDead: (generation) => countDead(uid, generation),
      });
      changed(uid, await readFreezes(now.path));
      const deleted: DeletedPackets[] = [];
      const surplus = deletesSurplus ? surplusRings(await readFrozenRings(now.path), mostRings) : [];
      for (const each of surplus) deleted.push(await deleteFrozenRing(each));
      changed(uid, await readFreezes(now.path));
      return { record, deleted };
    },
  };
}

function nextSequence({ log }: FreezeState): number {
  return (log?.sequence ?? 0) + 1;
}
