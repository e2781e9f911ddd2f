import type { Pod } from '../../../kubernetes/pod.ts';
import { absentReasons, unlookedReasons } from '../../../link/protocol.ts';
import { refusal, type TapRefusal, type TapRequest } from './tap-request.ts';

/** The namespace of agents and hubs; undefined if the agent does not know it. */
export type OwnPods = { readonly namespace: string | undefined };

type TargetRequest = Pick<TapRequest, 'namespace' | 'name' | 'uid'>;

/** The same as `tapTarget`, among the Pods that the agent knows; 503 while it knows none. */
export function listedTarget(
  tap: TargetRequest,
  { pods, own }: { readonly pods: () => ReadonlyMap<string, Pod> | undefined; readonly own: OwnPods },
): ReturnType<typeof tapTarget> {
  const listed = pods();
  return listed
    ? tapTarget(tap, listed.values(), own)
    : refusal(503, unlookedReasons.pods, 'the agent does not know the Pods of its Node yet');
}

/**
 * The Pod whose packets a tap shows, among those of this Node; 404 if it is not one of them. Pure. Refused: the host
 * network, which would show the packets of every Pod, and Podcap's own Pods, whose packets are those of other streams.
 */
export function tapTarget(
  { namespace, name, uid }: TargetRequest,
  pods: Iterable<Pod>,
  own: OwnPods,
): { readonly kind: 'pod'; readonly pod: Pod } | TapRefusal {
  const ofName = [...pods].filter((pod) => pod.namespace === namespace && pod.name === name);
  const pod = ofName.find((each) => uid === undefined || each.uid === uid);
  if (!pod) {
    const which = uid === undefined ? '' : ` with the UID ${uid}`;
    return refusal(404, absentReasons.pod, `no Pod ${namespace}/${name}${which} on this Node`);
  }
  if (pod.hostNetwork) {
    const message = 'the Pod uses the host network, where a capture would show the packets of every Pod';
    return refusal(403, 'HostNetwork', message);
  }
  if (isOwn(pod, own)) return ownPod;
  return { kind: 'pod', pod };
}

export const ownPod = refusal(
  403,
  'OwnPod',
  'the Pod is a hub or an agent of Podcap, whose packets are the streams of other viewers',
);

/** Whether a Pod that was there is gone, or has run to its end. Pure. */
export function hasPodEnded(uid: string, pods: ReadonlyMap<string, Pod>): boolean {
  const pod = pods.get(uid);
  return pod === undefined || pod.phase === 'Succeeded' || pod.phase === 'Failed';
}

/** By the label that the chart gives to all Pods of a release. */
function isOwn({ namespace, labels }: Pod, own: OwnPods): boolean {
  const isOwnNamespace = own.namespace === undefined || namespace === own.namespace;
  return isOwnNamespace && labels?.['app.kubernetes.io/name'] === 'podcap';
}
