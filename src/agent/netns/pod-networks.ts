import { lstat, stat, statfs } from 'node:fs/promises';
import { ifExists } from '../../base/fs-errors.ts';
import { every } from '../../base/timers.ts';
import { type CniCacheOptions, followCniCache } from './cni-cache.ts';
import type { CniEntry, Network, PodInNetwork } from './cni-entry.ts';
import { podInterface } from './pod-interface.ts';

/** The networks of this Node's Pods, and notice of each change. */
export type PodNetworks = AsyncDisposable & {
  /**
   * The Pod's newest network whose namespace exists; undefined if there is none. A network whose entry is lost is found
   * as long as its namespace exists: the cache can be cleared or damaged while the Pod is running.
   */
  readonly find: (pod: PodInNetwork) => Promise<Network | undefined>;
  /** Why `find` finds nothing: what was looked for, and where. For people. */
  readonly absence: (pod: PodInNetwork) => string;
  /** Its interface is gone: once its entry is lost, it is not found any more, even if its namespace still exists. */
  readonly forget: (network: Network) => void;
  /** Calls `listener` when that Pod's networks may have changed, until the returned function is called. */
  readonly onChange: (podUid: string, listener: () => void) => () => void;
  /** How many Pods have an entry in the cache, those of Pods that are gone included. */
  readonly count: () => number;
};

export type PodNetworksOptions = Omit<CniCacheOptions, 'onChange' | 'onFound' | 'onLost'>;

/** The type of a file system that holds namespaces (linux/magic.h, NSFS_MAGIC). */
const nsfsMagic = 0x6e736673;

/** Resolves once the CNI cache has been read, and then follows it. */
export async function watchPodNetworks(options: PodNetworksOptions): Promise<PodNetworks> {
  const { log, resultsFolder } = options;
  const memory = lostEntries();
  const listeners = new Map<string, Set<() => void>>();
  /** The disputed namespaces that were logged for each Pod, while they are disputed. */
  const logged = new Map<string, string>();

  function logDisputed(pod: PodInNetwork, disputed: readonly string[]): void {
    // It would be remembered for good.
    if (!listeners.has(pod.uid)) return;
    const now = disputed.join(' ');
    if (now === (logged.get(pod.uid) ?? '')) return;
    if (now === '') logged.delete(pod.uid);
    else {
      logged.set(pod.uid, now);
      const { namespace, name, uid } = pod;
      log.warn({ namespace, pod: name, uid, disputed }, 'ignored a network that another Pod also claims');
    }
  }

  const cache = await followCniCache({
    ...options,
    onChange(podUid) {
      for (const listener of listeners.get(podUid) ?? []) listener();
    },
    onFound: memory.supersede,
    onLost: (entry) => void memory.add(entry, () => cache.entries()),
  });
  const forgetting = every(options.resyncMs, memory.forgetGone, (error) =>
    log.warn({ err: error }, 'failed to check the networks of lost CNI cache entries'),
  );

  async function find(pod: PodInNetwork): Promise<Network | undefined> {
    const { networks, disputed } = networksOf(pod, memory.beside(cache.entries()));
    logDisputed(pod, disputed);
    for (const network of networks) {
      if (await isPodNetwork(network.netns)) return network;
    }
    return undefined;
  }

  function onChange(podUid: string, listener: () => void): () => void {
    const ofPod = listeners.get(podUid) ?? new Set();
    listeners.set(podUid, ofPod.add(listener));
    return () => {
      ofPod.delete(listener);
      if (ofPod.size > 0) return;
      listeners.delete(podUid);
      logged.delete(podUid);
    };
  }

  function absence(pod: PodInNetwork): string {
    const entries = cache.entries();
    const { networks, disputed } = networksOf(pod, entries);
    if (disputed.length > 0) return `another Pod claims its network, ${disputed.join(' ')}`;
    if (networks.length > 0) {
      return `its network namespace does not exist: ${networks.map(({ netns }) => netns).join(' ')}`;
    }
    const others = entries.length === 0 ? 'no Pod has one' : 'other Pods have one';
    return `no readable entry of its interface ${podInterface} in the CNI cache ${resultsFolder}; ${others}`;
  }

  return {
    find,
    absence,
    forget: memory.forget,
    onChange,
    count: () => new Set(cache.entries().map(({ pod }) => pod.uid)).size,
    async [Symbol.asyncDispose]() {
      forgetting[Symbol.dispose]();
      await cache[Symbol.asyncDispose]();
    },
  };
}

/** Of each Pod, the newest entry that is not in the cache any more, as long as its namespace exists. */
function lostEntries() {
  const lost = new Map<string, CniEntry>();
  /** Namespaces without the Pod's interface: nothing is left of these networks. */
  const ended = new Set<string>();

  function forgetClaims(netns: string): void {
    for (const [key, { network }] of lost) if (network.netns === netns) lost.delete(key);
  }

  return {
    /**
     * Not if the Pod has an entry whose namespace exists: that is its next sandbox. And not if the entry of another Pod
     * names this namespace.
     */
    add: async ({ pod, network }: CniEntry, cached: () => readonly CniEntry[]): Promise<void> => {
      const { netns } = network;
      for (const other of cached().filter((each) => isSamePod(each.pod, pod))) {
        if (other.network.netns !== netns && (await isPodNetwork(other.network.netns).catch(() => false)))
          return;
      }
      const isNextPods = cached().some((each) => each.network.netns === netns && !isSamePod(each.pod, pod));
      if (!ended.has(netns) && !isNextPods) lost.set(keyOf(pod), { pod, network });
    },
    /** Forgets what the cache now knows better: that Pod's entry, and every lost claim to that namespace. */
    supersede: ({ pod, network }: CniEntry): void => {
      lost.delete(keyOf(pod));
      forgetClaims(network.netns);
    },
    forget: ({ netns }: Network): void => {
      ended.add(netns);
      forgetClaims(netns);
    },
    /** The entries of the cache, and after them the lost ones whose namespace no entry of the cache names. */
    beside(entries: readonly CniEntry[]): readonly CniEntry[] {
      if (lost.size === 0) return entries;
      const named = new Set(entries.map(({ network }) => network.netns));
      return [...entries, ...[...lost.values()].filter(({ network }) => !named.has(network.netns))];
    },
    forgetGone: async (): Promise<void> => {
      for (const [key, { network }] of lost) if (!(await isPodNetwork(network.netns))) lost.delete(key);
      for (const netns of ended) if (!(await isPodNetwork(netns))) ended.delete(netns);
    },
  };
}

function keyOf({ namespace, name, uid }: PodInNetwork): string {
  return `${namespace}/${name}/${uid}`;
}

/**
 * The networks that entries give to that Pod and to no other, in the order of the entries. Runtimes never reuse the
 * name of a namespace, so if entries of two Pods name one, an entry is wrong or forged. Which one cannot be known: the
 * network is disputed, and no Pod gets it.
 */
export function networksOf(
  pod: PodInNetwork,
  entries: readonly CniEntry[],
): { readonly networks: readonly Network[]; readonly disputed: readonly string[] } {
  const networks = entries.filter((entry) => isSamePod(entry.pod, pod)).map(({ network }) => network);
  const claimed = new Set(networks.map(({ netns }) => netns));
  const disputed = new Set(
    entries
      .filter((entry) => claimed.has(entry.network.netns) && !isSamePod(entry.pod, pod))
      .map(({ network }) => network.netns),
  );
  return { networks: networks.filter(({ netns }) => !disputed.has(netns)), disputed: [...disputed] };
}

/** Compares all three: another Pod can reuse the name, and the UID alone can be that of a static Pod's manifest. */
function isSamePod(a: PodInNetwork, b: PodInNetwork): boolean {
  return a.uid === b.uid && a.namespace === b.namespace && a.name === b.name;
}

/**
 * Whether the path is a mounted namespace and not the agent's own. After a teardown or a reboot it does not exist or is
 * an empty regular file; a link could lead to any namespace. podcap-spawner finds out if it is no network namespace.
 */
async function isPodNetwork(path: string): Promise<boolean> {
  const file = await ifExists(lstat(path));
  if (!file?.isFile() || (await ifExists(statfs(path)))?.type !== nsfsMagic) return false;
  const own = await stat('/proc/self/ns/net');
  return file.ino !== own.ino || file.dev !== own.dev;
}
