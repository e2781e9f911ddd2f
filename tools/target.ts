import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { status } from '../cluster/cluster-status.ts';
import { checkoutFolders } from '../cluster/layout.ts';
import { Failed, output } from './shell.ts';

/** The Kubernetes cluster that a command acts on. */
export type TargetCluster = {
  readonly kubectl: string;
  /** Undefined if it is kubectl's current context. */
  readonly kubeconfig: string | undefined;
  /** True for the cluster of `make cluster` of this checkout. */
  readonly isOurs: boolean;
  /** For people. */
  readonly description: string;
};

/** The root folder of this checkout. */
export const checkout = dirname(dirname(fileURLToPath(import.meta.url)));
/** The kubeconfig and programs of this checkout's own cluster. */
export const ours = checkoutFolders(checkout);

/**
 * Returns the cluster of $KUBECONFIG if that is set, otherwise this checkout's cluster if it is up, otherwise that of
 * kubectl's current context.
 *
 * @throws Failed if there is no cluster or no kubectl.
 */
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
      'no cluster to use: run `make cluster`, or set KUBECONFIG, or select a context with kubectl',
    );
  });
  return {
    kubectl,
    kubeconfig: undefined,
    isOurs: false,
    description: `kubectl's current context, ${context.trim()}`,
  };
}

/** The cluster of this checkout, whether it is up or not. */
export function ourTarget(): TargetCluster {
  const { kubeconfig, bin } = ours;
  return {
    kubectl: `${bin}/kubectl`,
    kubeconfig,
    isOurs: true,
    description: `the cluster of this checkout, ${kubeconfig}`,
  };
}

/** Returns kubectl's arguments for a command on the target. */
export function withTarget({ kubeconfig }: TargetCluster, ...args: readonly string[]): string[] {
  return kubeconfig === undefined ? [...args] : ['--kubeconfig', kubeconfig, ...args];
}

/** Returns the kubectl that is installed, otherwise the one that `make cluster` built. */
async function anyKubectl(): Promise<string> {
  for (const kubectl of ['kubectl', `${ours.bin}/kubectl`]) {
    const found = await output(kubectl, ['version', '--client']).catch(() => undefined);
    if (found !== undefined) return kubectl;
  }
  throw new Failed('kubectl is not installed: install it, or run `make cluster`, which builds one');
}
