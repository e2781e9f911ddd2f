import * as v from 'valibot';
import type { KubernetesClient } from '../kubernetes/client.ts';

export type DaemonSetOptions = {
  readonly client: Pick<KubernetesClient, 'get'>;
  readonly namespace: string;
  readonly name: string;
  readonly signal: AbortSignal;
};

/** How many agents are ready, and so connect: the DaemonSet says so. Throws an ApiError. */
export async function expectedAgents({ client, namespace, name, signal }: DaemonSetOptions): Promise<number> {
  const path = `/apis/apps/v1/namespaces/${namespace}/daemonsets/${name}`;
  const daemonSet = await client.get({ path, signal, deadlineMs: 5_000 });
  return v.parse(daemonSetSchema, daemonSet).status.numberReady;
}

const daemonSetSchema = v.object({ status: v.object({ numberReady: v.optional(v.number(), 0) }) });
