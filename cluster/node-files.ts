import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { addresses, type ClusterNode, cgroupName, machineFolder, stateFolders } from './layout.ts';
import { makeNodeCredentials } from './pki.ts';
import { pauseImage } from './program-image.ts';

/** The folder where the kubelet reads the manifests of static Pods. */
export const staticPods = '/etc/kubernetes/manifests';

/** Writes a Node's own part of /etc, an overlay over the host's (inside/node-mounts.sh). */
export async function writeNodeFiles(node: ClusterNode): Promise<void> {
  const etc = join(machineFolder(node), 'etc');
  const files: Record<string, string> = {
    hostname: `${node.name}\n`,
    hosts: `127.0.0.1 localhost\n${node.address} ${node.name}\n`,
    'resolv.conf': '# no name server: a Node cannot reach the outside\n',
    'cni/net.d/10-podcap.conflist': json(podNetwork(node)),
    'containerd/config.toml': containerdConfig,
    'kubernetes/kubelet.yaml': json(kubeletConfig(node)),
    'kubernetes/kube-proxy.yaml': json(kubeProxyConfig),
  };
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(etc, name)), { recursive: true });
    writeFileSync(join(etc, name), content);
  }
  mkdirSync(join(etc, relative('/etc', staticPods)), { recursive: true });
  await makeNodeCredentials(node, join(etc, 'kubernetes'));
  copyFileSync(join(stateFolders.pki, 'ca.crt'), join(etc, 'kubernetes/ca.crt'));
}

/** ipMasq is false, so that a Pod keeps its own address on the other Node too. */
function podNetwork(node: ClusterNode): unknown {
  return {
    cniVersion: '1.0.0',
    name: 'podcap',
    plugins: [
      {
        type: 'bridge',
        bridge: 'cni0',
        isGateway: true,
        ipMasq: false,
        hairpinMode: true,
        ipam: { type: 'host-local', ranges: [[{ subnet: node.podCidr }]], routes: [{ dst: '0.0.0.0/0' }] },
      },
      { type: 'portmap', capabilities: { portMappings: true } },
    ],
  };
}

/** restrict_oom_score_adj: on a host without CAP_SYS_RESOURCE, as in some virtual machines, no Pod starts otherwise. */
const containerdConfig = `version = 3

[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "${pauseImage.name}"

[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
  enable_unprivileged_ports = true

[plugins."io.containerd.cri.v1.runtime".cni]
  bin_dirs = ["/opt/cni/bin", "/usr/lib/cni"]
`;

function kubeletConfig(node: ClusterNode): unknown {
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: '/etc/kubernetes/ca.crt' },
    },
    authorization: { mode: 'Webhook' },
    tlsCertFile: '/etc/kubernetes/kubelet.crt',
    tlsPrivateKeyFile: '/etc/kubernetes/kubelet.key',
    containerRuntimeEndpoint: 'unix:///run/containerd/containerd.sock',
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/${cgroupName}/${node.name}`,
    failCgroupV1: false,
    failSwapOn: false,
    oomScoreAdj: 0,
    clusterDNS: [addresses.dns],
    clusterDomain: 'cluster.local',
    resolvConf: '/etc/resolv.conf',
    maxPods: 250,
    staticPodPath: staticPods,
    // The disk belongs to the host: it is not the kubelet's to clean up.
    evictionHard: { 'memory.available': '100Mi', 'nodefs.available': '1%', 'imagefs.available': '1%' },
    imageGCHighThresholdPercent: 100,
    imageGCLowThresholdPercent: 99,
    // Tests start hundreds of Pods at once, and the API server is on the same host.
    registryPullQPS: 0,
    kubeAPIQPS: 200,
    kubeAPIBurst: 400,
    shutdownGracePeriod: '0s',
    // Tests kill containers many times. By default the second restart takes 10 s, and later ones minutes.
    crashLoopBackOff: { maxContainerRestartPeriod: '1s' },
  };
}

const kubeProxyConfig = {
  apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
  kind: 'KubeProxyConfiguration',
  mode: 'nftables',
  clusterCIDR: addresses.pods,
  clientConnection: { kubeconfig: '/etc/kubernetes/kube-proxy.conf' },
  oomScoreAdj: 0,
  // 0: do not set these sysctls, which are the host's.
  conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
};

function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
