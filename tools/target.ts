import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { status } from '../cluster/cluster-status.ts';
import { checkoutFolders } from '../cluster/layout.ts';
import { Failed, output } from './shell.ts';

/** The Kubernetes cluster that a command acts on. */
export type TargetCluster = {
  readonly kubectl: string;
  /** Undefined: whatever kubectl's current context is. */
  readonly kubeconfig: string | undefined;
  /** True for the cluster that cluster/ made on this machine. */
  readonly isOurs: boolean;
  /** For people. */
  readonly description: string;
};

export const checkout = dirname(dirname(fileURLToPath(import.meta.url)));
export const ours = checkoutFolders(checkout);

/** $KUBECONFIG if that is set, else this checkout's cluster if it is up, else kubectl's current context. */
export async function findTarget(env: NodeJS.ProcessEnv): Promise<TargetCluster> {
  const given = env['KUBECONFIG'];
  if (given)
    return {
      kubectl: await anyKubectl(),
      kubeconfig: given,
      isOurs: given === ours.kubeconfig,
      description: `$KUBECONFIG, ${given}`,
    };
  if ((await status(checkout)).up) return ourTarget();
  const kubectl = await anyKubectl();
  const context = await output(kubectl, ['config', 'current-context']).catch(() => {
    throw new Failed(
      'no cluster to act on: set KUBECONFIG, or run `make cluster`, or choose a context by kubectl',
    );
  });
  return {
    kubectl,
    kubeconfig: undefined,
    isOurs: false,
    description: `kubectl's current context, ${context.trim()}`,
  };
}

export function ourTarget(): TargetCluster {
  const { kubeconfig, bin } = ours;
  return {
    kubectl: `${bin}/kubectl`,
    kubeconfig,
    isOurs: true,
    description: `the cluster of this checkout, ${kubeconfig}`,
  };
}

/** The arguments that lead kubectl to the target. */
export function withTarget({ kubeconfig }: TargetCluster, ...args: readonly string[]): string[] {
  return kubeconfig === undefined ? [...args] : ['--kubeconfig', kubeconfig, ...args];
}

/** One that is installed, else the one that `make cluster` built. */
async function anyKubectl(): Promise<string> {
  for (const kubectl of ['kubectl', `${ours.bin}/kubectl`]) {
    const found = await output(kubectl, ['version', '--client']).catch(() => undefined);
    if (found !== undefined) return kubectl;
  }
  throw new Failed('kubectl is not installed: install it, or run `make cluster`, which builds one');
}
