import * as v from 'valibot';
import { ApiError } from '../kubernetes/api-error.ts';
import type { KubernetesClient } from '../kubernetes/client.ts';
import type { Settings } from './settings.ts';

/** An agent that stops may not wait long: its Pod has 30 s until it is killed. */
const deadlineMs = 3_000;

/**
 * Whether the agents' own DaemonSet is deleted or being deleted: a stopping agent cannot tell otherwise whether another
 * one follows. False if that cannot be known, also because the agent's permissions were deleted first.
 */
export async function isUninstalled(
  client: Pick<KubernetesClient, 'get'>,
  daemonSet: Settings['daemonSet'],
): Promise<boolean> {
  if (daemonSet === undefined) return false;
  const { namespace, name } = daemonSet;
  const path = `/apis/apps/v1/namespaces/${namespace}/daemonsets/${name}`;
  try {
    return v.is(deletedSchema, await client.get({ path, deadlineMs }));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    // A 404 of a proxy says nothing about the DaemonSet.
    return error.status === 404 && error.reason === 'NotFound';
  }
}

const deletedSchema = v.object({ metadata: v.object({ deletionTimestamp: v.string() }) });
