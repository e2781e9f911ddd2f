import type { Logger } from 'pino';
import { networkUidOf, type Pod } from '../../kubernetes/pod.ts';
import type { PodNetworks } from '../netns/pod-networks.ts';
import type { ObservedNetwork } from './pod-state.ts';

/**
 * Returns the network of a Pod as it is now, and since when. Undefined: no network is needed, because nothing is captured.
 * Never rejects.
 */
export async function observeNetwork(
  before: ObservedNetwork,
  pod: Pod | undefined,
  { networks, log }: { readonly networks: PodNetworks; readonly log: Logger },
): Promise<ObservedNetwork> {
  const nowMs = performance.now();
  const since = (isSame: boolean) => (isSame ? before.sinceMs : nowMs);
  // It is looked for from the moment it is needed.
  if (!pod) return { kind: 'absent', problem: '', sinceMs: nowMs };
  const networkPod = { namespace: pod.namespace, name: pod.name, uid: networkUidOf(pod) };
  try {
    const network = await networks.find(networkPod);
    if (!network) {
      const problem = networks.absence(networkPod);
      return { kind: 'absent', problem, sinceMs: since(before.kind === 'absent') };
    }
    const isSame = before.kind === 'found' && before.network.sandboxId === network.sandboxId;
    return { kind: 'found', network, sinceMs: since(isSame) };
  } catch (error) {
    log.warn({ ...networkPod, err: error }, 'failed to find the Pod network');
    return { kind: 'unreadable', sinceMs: since(before.kind === 'unreadable') };
  }
}
