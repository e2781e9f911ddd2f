import { readdir, readFile, stat, statfs } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Logger } from 'pino';
import * as v from 'valibot';
import { ifThere } from '../../base/missing.ts';
import { podInterface } from '../../kubernetes/pod.ts';
import { watchFolder } from './watch-folder.ts';

/** A Pod's network, as its CNI plugin left it. */
export type Network = {
  /** The Pod's sandbox; another one means another network. */
  readonly sandboxId: string;
  /** Path of the network namespace in this container. */
  readonly netns: string;
};

/** The Pod networks of this Node, and word of each change. */
export type Networks = AsyncDisposable & {
  /** The newest network of that Pod whose namespace exists, or nothing. */
  readonly find: (pod: PodInNetwork) => Promise<Network | undefined>;
  /** Calls `listener` when that Pod's networks may have changed, until the returned function is called. */
  readonly onChange: (podUid: string, listener: () => void) => () => void;
};

/**
 * A Pod as its CNI plugin knows it. The UID alone would not do: whoever makes a Pod can write the annotation that
 * names a static Pod's.
 */
export type PodInNetwork = { readonly namespace: string; readonly name: string; readonly uid: string };

export type NetworksOptions = {
  /** libcni's cache of results, /var/lib/cni/results on the Node. */
  readonly resultsFolder: string;
  /** Where the runtime mounts network namespaces, /run/netns on the Node. */
  readonly netnsFolder: string;
  /** Look at the whole folder this often: inotify drops events when its queue overflows. */
  readonly rescanMs: number;
  readonly log: Logger;
};

/** What is read of a cache entry (containernetworking/cni, libcni/api.go, cachedInfo). */
const entrySchema = v.object({
  kind: v.literal('cniCacheV1'),
  containerId: v.pipe(v.string(), v.minLength(1)),
  // Others are additional networks.
  ifName: v.literal(podInterface),
  netns: v.pipe(v.string(), v.minLength(1)),
  cniArgs: v.array(v.tuple([v.string(), v.string()])),
});

/** One file of the cache; `entry` is undefined while it is half written, cut or not a Pod's. */
type CachedFile = { readonly version: string; readonly changedMs: number; readonly entry: Entry | undefined };
type Entry = { readonly pod: PodInNetwork; readonly network: Network };

/** The type of a file system that holds namespaces (linux/magic.h, NSFS_MAGIC). */
const nsfsMagic = 0x6e736673;

/** Reads the cache once, then follows it. */
export async function watchNetworks(options: NetworksOptions): Promise<Networks> {
  const files = new Map<string, CachedFile>();
  const listeners = new Map<string, Set<() => void>>();

  const tell = (file: CachedFile | undefined) => {
    for (const listener of listeners.get(file?.entry?.pod.uid ?? '') ?? []) listener();
  };

  async function look(name: string): Promise<void> {
    const before = files.get(name);
    const after = await readEntry(name, before, options);
    if (after === before) return;
    if (after) files.set(name, after);
    else files.delete(name);
    tell(before);
    tell(after);
  }

  async function lookAtAll(): Promise<void> {
    const names = new Set((await namesIn(options)).filter(isPodResult));
    for (const name of files.keys()) names.add(name);
    for (const name of names) await look(name);
  }

  async function find(pod: PodInNetwork): Promise<Network | undefined> {
    const candidates = [...files.values()]
      .filter(({ entry }) => entry && isSamePod(entry.pod, pod))
      .toSorted((a, b) => b.changedMs - a.changedMs);
    for (const { entry } of candidates) {
      if (entry && (await isNetworkNamespace(entry.network.netns))) return entry.network;
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

  await lookAtAll();
  const watching = watchFolder({
    folder: options.resultsFolder,
    rescanMs: options.rescanMs,
    log: options.log,
    onName: async (name) => {
      if (isPodResult(name)) await look(name);
    },
    onRescan: lookAtAll,
  });
  return { find, onChange, [Symbol.asyncDispose]: () => watching[Symbol.asyncDispose]() };
}

/** CRI-O leaves a loopback entry for every Pod, thousands of them: never the network. */
function isPodResult(name: string): boolean {
  return !name.startsWith('cni-loopback-');
}

/** A Node without any Pod network yet has no such folder. */
async function namesIn({ resultsFolder }: NetworksOptions): Promise<string[]> {
  return (await ifThere(readdir(resultsFolder))) ?? [];
}

/** The file as it is now: `before` itself if it did not change, undefined if it is gone. */
async function readEntry(
  name: string,
  before: CachedFile | undefined,
  { resultsFolder, netnsFolder }: NetworksOptions,
): Promise<CachedFile | undefined> {
  const path = join(resultsFolder, name);
  const file = await ifThere(stat(path, { bigint: true }));
  if (!file) return undefined;
  const version = `${file.ino} ${file.mtimeNs} ${file.size}`;
  if (before?.version === version) return before;
  const text = await ifThere(readFile(path, 'utf8'));
  if (text === undefined) return undefined;
  return { version, changedMs: Number(file.mtimeMs), entry: parseEntry(text, netnsFolder) };
}

/** Undefined for what is no whole entry of a Pod: libcni writes in place, so a read can see half of it. */
function parseEntry(text: string, netnsFolder: string): Entry | undefined {
  const json = parseJson(text);
  const parsed = v.safeParse(entrySchema, json);
  if (!parsed.success) return undefined;
  const { containerId, netns, cniArgs } = parsed.output;
  const args = new Map(cniArgs);
  const uid = args.get('K8S_POD_UID');
  if (!uid) return undefined;
  const pod = { namespace: args.get('K8S_POD_NAMESPACE') ?? '', name: args.get('K8S_POD_NAME') ?? '', uid };
  // The last part alone: the entry names the Node's path, and never leads out of the mounted folder.
  const name = basename(netns);
  if (name === '..' || name === '.') return undefined;
  return { pod, network: { sandboxId: containerId, netns: join(netnsFolder, name) } };
}

function isSamePod(a: PodInNetwork, b: PodInNetwork): boolean {
  return a.uid === b.uid && a.namespace === b.namespace && a.name === b.name;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** After a teardown or a reboot the path is missing or an ordinary empty file. */
async function isNetworkNamespace(path: string): Promise<boolean> {
  return (await ifThere(statfs(path)))?.type === nsfsMagic;
}
