import { isIP } from 'node:net';
import { basename, join, normalize } from 'node:path';
import * as v from 'valibot';
import { podInterface } from './pod-interface.ts';

/** An entry of libcni's cache: that Pod has that network. */
export type CniEntry = { readonly pod: PodInNetwork; readonly network: Network };

/** A Pod's network, as its CNI plugin made it. */
export type Network = {
  /** The Pod's sandbox: a new sandbox has a new network. */
  readonly sandboxId: string;
  /** Path of the network namespace, as it is mounted in the agent's container. */
  readonly netns: string;
  /** The Pod's IP addresses; none where the entry has none. */
  readonly addresses: readonly string[];
};

/** A Pod as its CNI plugin knows it: the runtime passes all three on from the kubelet. */
export type PodInNetwork = { readonly namespace: string; readonly name: string; readonly uid: string };

/**
 * Whether an entry of that file name is the one of a Pod's own interface. Names are `<network>-<sandbox>-<interface>`.
 * Other interfaces are of additional networks, and CRI-O leaves a loopback entry for every Pod, thousands of them.
 */
export function isPodEntry(name: string): boolean {
  return name.endsWith(`-${podInterface}`);
}

/** The fields of a cache entry that are needed here (containernetworking/cni, libcni/api.go, cachedInfo). */
const entrySchema = v.object({
  kind: v.literal('cniCacheV1'),
  containerId: v.pipe(v.string(), v.minLength(1)),
  // Other interfaces are of additional networks.
  ifName: v.literal(podInterface),
  netns: v.pipe(v.string(), v.startsWith('/')),
  cniArgs: v.array(v.tuple([v.string(), v.string()])),
  result: v.fallback(v.looseObject({ ips: v.fallback(v.array(v.unknown()), []) }), { ips: [] }),
});

/** An address with the length of its prefix, of CNI 0.3 and later; results of CNI 0.2 have no such list. */
const addressSchema = v.object({ address: v.string() });
const mostAddresses = 16;

/** Undefined for anything but a complete entry of a Pod: libcni writes in place, so a read can see half of it. */
export function parseCniEntry(text: string, netnsFolder: string): CniEntry | undefined {
  const parsed = v.safeParse(entrySchema, parseJson(text));
  if (!parsed.success) return undefined;
  const { containerId, netns, cniArgs, result } = parsed.output;
  const args = new Map(cniArgs);
  const uid = args.get('K8S_POD_UID');
  const path = mountedPath(netns, netnsFolder);
  if (!uid || !path) return undefined;
  const pod = { namespace: args.get('K8S_POD_NAMESPACE') ?? '', name: args.get('K8S_POD_NAME') ?? '', uid };
  return { pod, network: { sandboxId: containerId, netns: path, addresses: addressesIn(result.ips) } };
}

function addressesIn(ips: readonly unknown[]): string[] {
  return ips.slice(0, mostAddresses).flatMap((ip) => {
    const parsed = v.safeParse(addressSchema, ip);
    const [address = ''] = parsed.success ? parsed.output.address.split('/') : [];
    return isIP(address) === 0 ? [] : [address];
  });
}

/** Uses only the last part, because the entry has the Node's path: the result is always in the mounted folder. */
function mountedPath(netns: string, netnsFolder: string): string | undefined {
  const isPlain = netns === normalize(netns) && !netns.endsWith('/') && !netns.includes('\0');
  return isPlain ? join(netnsFolder, basename(netns)) : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
