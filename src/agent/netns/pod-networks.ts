import { lstat, stat, statfs } from 'node:fs/promises';
import { ifExists } from '../../base/fs-errors.ts';
import { type CniCacheOptions, followCniCache } from './cni-cache.ts';
import type { CniEntry, Network, PodInNetwork } from './cni-entry.ts';

/** The Pod networks of this Node, and word of each change. */
export type PodNetworks = AsyncDisposable & {
  /** The newest network of that Pod whose namespace exists, or nothing. */
  readonly find: (pod: PodInNetwork) => Promise<Network | undefined>;
  /** Calls `listener` when that Pod's networks may have changed, until the returned function is called. */
  readonly onChange: (podUid: string, listener: () => void) => () => void;
};

export type PodNetworksOptions = Omit<CniCacheOptions, 'onChange'>;

/** The type of a file system that holds namespaces (linux/magic.h, NSFS_MAGIC). */
const nsfsMagic = 0x6e736673;

/** Reads the cache once, then follows it. */
export async function watchPodNetworks(options: PodNetworksOptions): Promise<PodNetworks> {
  const { log } = options;
  const listeners = new Map<string, Set<() => void>>();
  /** What was told of each Pod, until it is so no more. */
  const told = new Map<string, string>();

  function tellDisputed(pod: PodInNetwork, disputed: readonly string[]): void {
    const now = disputed.join(' ');
    if (now === (told.get(pod.uid) ?? '')) return;
    if (now === '') told.delete(pod.uid);
    else {
      told.set(pod.uid, now);
      log.warn({ pod, disputed }, 'network left alone: another Pod has it too');
    }
  }

  const cache = await followCniCache({
    ...options,
    onChange(podUid) {
      for (const listener of listeners.get(podUid) ?? []) listener();
    },
  });

  async function find(pod: PodInNetwork): Promise<Network | undefined> {
    const { networks, disputed } = networksOf(pod, cache.entries());
    tellDisputed(pod, disputed);
    for (const network of networks) {
      if (await isPodNetwork(network.netns)) return network;
    }
    return undefined;
  }

  function onChange(podUid: string, listener: () => void): () => void {
    const those = listeners.get(podUid) ?? new Set();
    listeners.set(podUid, those.add(listener));
    return () => {
      those.delete(listener);
      if (those.size === 0) listeners.delete(podUid);
    };
  }

  return { find, onChange, [Symbol.asyncDispose]: () => cache[Symbol.asyncDispose]() };
}

/**
 * The networks that entries give to that Pod and to no other, in the order of the entries. Runtimes never use a name
 * again, so a namespace of two Pods is a wrong or forged entry, and which one is not to be known: it is nobody's.
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

/** By all three: a name is used again by the next Pod, and a UID alone can be that of a static Pod's manifest. */
function isSamePod(a: PodInNetwork, b: PodInNetwork): boolean {
  return a.uid === b.uid && a.namespace === b.namespace && a.name === b.name;
}

/**
 * After a teardown or a reboot the path is missing or an ordinary empty file. A link could lead to any namespace, the
 * agent's own among them. Whether it is one of a network, podcap-spawner finds out.
 */
async function isPodNetwork(path: string): Promise<boolean> {
  const file = await ifExists(lstat(path));
  if (!file?.isFile() || (await ifExists(statfs(path)))?.type !== nsfsMagic) return false;
  const own = await stat('/proc/self/ns/net');
  return file.ino !== own.ino || file.dev !== own.dev;
}
