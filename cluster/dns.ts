import { join } from 'node:path';
import { type BuildOptions, buildBinaries, moduleOf } from './binaries.ts';
import { kubectl } from './kubectl.ts';
import { stateFolders } from './layout.ts';
import { load } from './load-images.ts';
import { writeProgramImage } from './program-image.ts';

/** Installs CoreDNS into the cluster, building it first if needed. Returns when it is ready. */
export async function installDns(options: BuildOptions): Promise<void> {
  const module = moduleOf('coredns');
  if (module === undefined) throw new Error('no Go module builds coredns');
  const program = (await buildBinaries([module], options)).get('coredns') ?? '';
  const archive = join(stateFolders.root, 'coredns.tar');
  await writeProgramImage(archive, { name: 'localhost/coredns:local', program, entrypoint: ['/coredns'] });
  await load([archive], options);
  await kubectl('apply', '--server-side', '-f', join(options.checkout, 'cluster/dns.yaml'));
  await kubectl('--namespace', 'kube-system', 'rollout', 'status', 'deployment/coredns', '--timeout=60s');
}
