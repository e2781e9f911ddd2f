import { exitCodes } from '../../commands/terminal.ts';
import { CommandFailure } from '../cli-command.ts';
import { requestObject } from './api-answer.ts';
import { apiPath } from './api-paths.ts';
import type { Cluster } from './cluster.ts';
import { UnreachableServer } from './unreachable-server.ts';

/**
 * That the namespace does not exist, in words; undefined if it does, or the user may not know. For where nothing was
 * found in it: to the API server, a namespace that does not exist is an empty one.
 */
export async function missingNamespace(
  cluster: Cluster,
  namespace: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const path = apiPath(['api', 'v1', 'namespaces', namespace]);
    const answer = await requestObject(cluster, { path, signal });
    const isMissing = answer.kind === 'refused' && /^namespaces ".*" not found$/.test(answer.message);
    return isMissing ? `namespace ${namespace} does not exist` : undefined;
  } catch (error) {
    if (error instanceof CommandFailure) return undefined;
    throw error;
  }
}

/** The failure, unless it comes from a namespace that does not exist: then that is the failure. */
export async function namespaceFailure(
  cluster: Cluster,
  failure: unknown,
  signal: AbortSignal,
): Promise<unknown> {
  if (!(failure instanceof CommandFailure) || failure instanceof UnreachableServer) return failure;
  const message = await missingNamespace(cluster, cluster.namespace, signal);
  return message === undefined ? failure : new CommandFailure(message, exitCodes.failed, { cause: failure });
}
