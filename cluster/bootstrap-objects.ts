import { apply } from './kubectl.ts';
import { nodes } from './layout.ts';

const rbac = 'rbac.authorization.k8s.io';

/**
 * Applies the objects that a new cluster needs and kubeadm would create: the binding that lets the API server call
 * the kubelets, and each Node with its Pod CIDR. It can be repeated.
 */
export async function applyBootstrapObjects(): Promise<void> {
  await apply([
    {
      apiVersion: `${rbac}/v1`,
      kind: 'ClusterRoleBinding',
      metadata: { name: 'kubeadm:apiserver-kubelet-client' },
      roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: 'system:kubelet-api-admin' },
      subjects: [{ apiGroup: rbac, kind: 'User', name: 'kube-apiserver-kubelet-client' }],
    },
    ...nodes.map(({ name, podCidr }) => ({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name },
      spec: { podCIDR: podCidr, podCIDRs: [podCidr] },
    })),
  ]);
}
