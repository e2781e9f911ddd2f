import { exitCodes } from '../../commands/terminal.ts';
import { acceptedPaths } from '../api/api-paths.ts';
import type { Cluster } from '../api/cluster.ts';
import { CommandFailure } from '../cli-command.ts';
import { placeFlagsOf } from '../suggested-command.ts';
import { contextNamespace } from './context-namespace.ts';
import { findProgram } from './find-program.ts';
import type { Kubectl } from './kubectl.ts';
import { type KubectlProxy, type ProxyEnd, startKubectlProxy } from './kubectl-proxy.ts';
import { isTooOld, oldestKubectl, readKubectlVersion } from './kubectl-version.ts';
import { proxiedRequests } from './proxied-requests.ts';
import { requestTimeoutMs } from './request-timeout.ts';

export type WriteMethod = 'POST' | 'PATCH' | 'DELETE';

/**
 * Starts kubectl as the way to the API server; disposing of the cluster ends it. `paths` are regular expressions of all
 * paths that the command needs (without a query, decoded, without commas; each must match the whole path), and `writes`
 * the methods besides GET. Asks the API server nothing yet.
 *
 * @throws CommandFailure if kubectl is missing, too old, or does not start.
 */
export async function openCluster(
  kubectl: Kubectl,
  paths: readonly string[],
  signal: AbortSignal,
  writes: readonly WriteMethod[] = [],
): Promise<Cluster> {
  const program = await findProgram(kubectl.program, kubectl.env);
  if (program === undefined) throw new CommandFailure(missingMessage(kubectl.program), exitCodes.failed);
  const found = { ...kubectl, program };
  const [starting, naming] = await Promise.allSettled([
    startKubectlProxy(
      found,
      { paths: [...paths, acceptedPaths.namespace], methods: ['GET', ...writes] },
      signal,
    ),
    contextNamespace(found, signal),
  ]);
  if (starting.status === 'rejected') throw starting.reason;
  const proxy = starting.value;
  if ('how' in proxy) throw await startFailure(found, proxy, signal);
  if (naming.status === 'fulfilled') return clusterOf(proxy, naming.value, kubectl);
  await proxy[Symbol.asyncDispose]();
  throw naming.reason;
}

function clusterOf(proxy: KubectlProxy, namespace: string, kubectl: Kubectl): Cluster {
  const requests = proxiedRequests(proxy, { requestedMs: requestTimeoutMs(kubectl.flags) });
  return {
    namespace,
    placeFlags: placeFlagsOf(kubectl),
    request: requests.send,
    async [Symbol.asyncDispose]() {
      // kubectl first: it would log every request that is taken back.
      await proxy[Symbol.asyncDispose]();
      requests[Symbol.dispose]();
    },
  };
}

function missingMessage(program: string): string {
  const where = program.includes('/') ? 'cannot be run' : 'was not found in PATH';
  return (
    `${program} ${where}: kubectl podcap reaches the cluster through kubectl ${neededVersion}; ` +
    'see https://kubernetes.io/docs/tasks/tools/'
  );
}

const neededVersion = `${oldestKubectl.major}.${oldestKubectl.minor} or newer`;

/** kubectl itself has said on standard error what is wrong. */
async function startFailure(
  kubectl: Kubectl,
  { how }: ProxyEnd,
  signal: AbortSignal,
): Promise<CommandFailure> {
  const version = await readKubectlVersion(kubectl, signal);
  const message =
    version !== undefined && isTooOld(version)
      ? `${kubectl.program} is ${version}, and kubectl podcap needs kubectl ${neededVersion}`
      : `kubectl proxy did not start: ${how}`;
  return new CommandFailure(message, exitCodes.failed);
}
