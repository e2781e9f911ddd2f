import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { addresses, apiServer, type ClusterNode, control, machineFolder, stateFolders } from './layout.ts';
import { runCommand } from './run-command.ts';

/** The user that Kubernetes reads from a client certificate. */
type User = { readonly name: string; readonly group?: string };

const kubeadm = join(stateFolders.bin, 'kubeadm');
const config = join(machineFolder(control), 'kubeadm.yaml');

/** Creates the certificate authorities and every certificate of the control plane, by kubeadm's own phase. */
export async function makeCertificates(kubernetesVersion: string): Promise<void> {
  mkdirSync(machineFolder(control), { recursive: true });
  writeFileSync(config, kubeadmConfig(kubernetesVersion));
  await runCommand(kubeadm, ['init', 'phase', 'certs', 'all', '--config', config]);
}

/** Writes the kubeconfigs of the administrator, the controller manager and the scheduler. */
export async function makeControlKubeconfigs(): Promise<void> {
  const folder = machineFolder(control);
  await Promise.all([
    makeKubeconfig({ name: 'podcap-admin', group: 'system:masters' }, stateFolders.adminKubeconfig),
    makeKubeconfig({ name: 'system:kube-controller-manager' }, join(folder, 'controller-manager.conf')),
    makeKubeconfig({ name: 'system:kube-scheduler' }, join(folder, 'scheduler.conf')),
  ]);
}

/** Writes a Node's kubeconfigs of kubelet and kube-proxy, and the certificate that the kubelet shows the API server. */
export async function makeNodeCredentials(node: ClusterNode, folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  await Promise.all([
    makeKubeconfig({ name: `system:node:${node.name}`, group: 'system:nodes' }, join(folder, 'kubelet.conf')),
    makeKubeconfig({ name: 'system:kube-proxy' }, join(folder, 'kube-proxy.conf')),
    makeKubeletServingCertificate(node, folder),
  ]);
}

async function makeKubeconfig({ name, group }: User, file: string): Promise<void> {
  const organization = group === undefined ? [] : ['--org', group];
  const content = await runCommand(kubeadm, [
    'kubeconfig',
    'user',
    '--config',
    config,
    '--client-name',
    name,
    ...organization,
  ]);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content, { mode: 0o600 });
}

/** kubeadm has no phase for it. The API server calls Nodes by their address, and checks it in the certificate. */
async function makeKubeletServingCertificate(node: ClusterNode, folder: string): Promise<void> {
  const authority = ['-CA', join(stateFolders.pki, 'ca.crt'), '-CAkey', join(stateFolders.pki, 'ca.key')];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const files = ['-keyout', join(folder, 'kubelet.key'), '-out', join(folder, 'kubelet.crt')];
  const subject = ['-subj', `/O=system:nodes/CN=system:node:${node.name}`, '-days', '365'];
  const names = ['-addext', `subjectAltName=IP:${node.address},DNS:${node.name}`];
  await runCommand('openssl', ['req', '-x509', ...authority, ...key, ...files, ...subject, ...names]);
}

function kubeadmConfig(kubernetesVersion: string): string {
  return `apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: ${kubernetesVersion}
certificatesDir: ${stateFolders.pki}
controlPlaneEndpoint: ${new URL(apiServer).host}
encryptionAlgorithm: ECDSA-P256
networking:
  podSubnet: ${addresses.pods}
  serviceSubnet: ${addresses.services}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint:
  advertiseAddress: ${addresses.control}
nodeRegistration:
  name: ${control.name}
  criSocket: unix:///run/containerd/containerd.sock
`;
}
