import { join } from 'node:path';
import { nodes, stateFolders } from './layout.ts';
import { run } from './run-command.ts';

/** Runs this cluster's own kubectl as its administrator. */
export async function kubectl(...args: readonly string[]): Promise<string> {
  return await run(join(stateFolders.bin, 'kubectl'), [
    '--kubeconfig',
    stateFolders.adminKubeconfig,
    ...args,
  ]);
}

/** Applies objects as this cluster's administrator, on the server's side. */
export async function apply(objects: readonly unknown[]): Promise<void> {
  const list = { apiVersion: 'v1', kind: 'List', items: objects };
  const kubectlPath = join(stateFolders.bin, 'kubectl');
  const args = ['--kubeconfig', stateFolders.adminKubeconfig, 'apply', '--server-side', '-f', '-'];
  await run(kubectlPath, args, { input: JSON.stringify(list) });
}

const rbac = 'rbac.authorization.k8s.io';

/** What kubeadm would put into a new cluster: its binding for the API server's calls to kubelets, and Pod CIDRs. */
export async function installBaseObjects(): Promise<void> {
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
