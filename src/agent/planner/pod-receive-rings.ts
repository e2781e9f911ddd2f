import { isSameTcpdump, type TcpdumpSpec } from './annotations.ts';
import type { ReceiveRing } from './receive-rings.ts';

/** The receive ring of the newest tcpdump of one interface, and what that captures. */
export type RunningReceiveRing = Omit<ReceiveRing, 'key' | 'isReplaced'> & {
  readonly kib: number;
  readonly spec: TcpdumpSpec;
};

/** The receive ring of one interface of a Pod, among those of the Node. */
export type PodReceiveRing = ReceiveRing & { readonly uid: string; readonly interface: string };

/** The sizes of a Pod's receive rings in KiB, by the interface that is captured. */
export type BufferKib = ReadonlyMap<string, number>;

/**
 * The receive rings of a Pod of which that is to be captured, in the same order. Pure. An interface that is not captured
 * yet gets the ring of one that is not asked for any more: its tcpdump replaces that one's. What else is not asked for
 * any more is about to end, beside the first ring.
 */
export function wantedReceiveRings(
  uid: string,
  specs: readonly TcpdumpSpec[],
  running: readonly RunningReceiveRing[],
): PodReceiveRing[] {
  const isWanted = ({ spec }: RunningReceiveRing) => specs.some((each) => each.interface === spec.interface);
  const left = running.filter((ring) => !isWanted(ring));
  const rings = specs.map((spec): PodReceiveRing => {
    const own = running.find((ring) => ring.spec.interface === spec.interface) ?? left.shift();
    const named = namesOf(uid, spec);
    return own ? { ...own, ...named, isReplaced: !isSameTcpdump(own.spec, spec) } : { ...noRing, ...named };
  });
  const endingKib = left.reduce((sum, { kib, replacedKib }) => sum + kib + replacedKib, 0);
  return rings.map((ring, at) => (at === 0 ? { ...ring, replacedKib: ring.replacedKib + endingKib } : ring));
}

/** Those of a Pod that is not to be captured any more: they take memory until they have ended. Pure. */
export function endingReceiveRings(uid: string, running: readonly RunningReceiveRing[]): PodReceiveRing[] {
  return running.map(({ spec, kib, replacedKib }) => ({
    ...noRing,
    ...namesOf(uid, spec),
    kib,
    replacedKib,
  }));
}

/** The sizes by UID. Pure. */
export function bufferKibOf(
  rings: readonly PodReceiveRing[],
  kib: ReadonlyMap<string, number>,
): ReadonlyMap<string, BufferKib> {
  const byUid = Map.groupBy(rings, ({ uid }) => uid);
  const sizesOf = (ofPod: readonly PodReceiveRing[]) =>
    ofPod.flatMap((ring) => {
      const size = kib.get(ring.key);
      return size === undefined ? [] : [[ring.interface, size] as const];
    });
  return new Map([...byUid].map(([uid, ofPod]) => [uid, new Map(sizesOf(ofPod))]));
}

function namesOf(uid: string, { interface: name }: Pick<TcpdumpSpec, 'interface'>) {
  return { uid, interface: name, key: `${uid} ${name}` };
}

const noRing = {
  kib: undefined,
  replacedKib: 0,
  isReplaced: false,
  silentSinceMs: undefined,
  isFull: false,
} as const;
