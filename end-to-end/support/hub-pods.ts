import * as v from 'valibot';
import { until } from '../../src/base/until.ts';
import { nodeProgram, processesOf } from './pod-processes.ts';
import { kubectl } from './run-kubectl.ts';

/** A replica of the hub. */
export type HubReplica = { readonly name: string; readonly uid: string; readonly node: string };

const selector = ['-l', 'app.kubernetes.io/component=hub'] as const;
const deployment = ['-n', 'kube-system', 'deployment/podcap-hub'] as const;

/** Those that are ready, in no order. */
export async function readyHubs(): Promise<HubReplica[]> {
  const list = await kubectl('-n', 'kube-system', 'get', 'pods', ...selector, '-o', 'json');
  return v.parse(podsSchema, JSON.parse(list)).items.flatMap(({ metadata, spec, status }) => {
    const isReady = status.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True');
    if (!isReady || metadata.deletionTimestamp !== undefined || spec.nodeName === undefined) return [];
    return [{ name: metadata.name, uid: metadata.uid, node: spec.nodeName }];
  });
}

/** Waits until that many replicas are ready, and each of them is none of `except`. */
export async function waitForHubs(count: number, except: readonly HubReplica[] = []): Promise<HubReplica[]> {
  return await until(
    async () => {
      const ready = await readyHubs();
      const isNew = ready.every(({ uid }) => except.every((old) => old.uid !== uid));
      return ready.length === count && isNew && ready;
    },
    { what: `${count} ready hubs`, deadlineMs: 120_000, everyMs: 250 },
  );
}

/** Kills the process of a replica, as a crash does; the kubelet starts its container again. */
export async function killHub({ uid }: Pick<HubReplica, 'uid'>): Promise<void> {
  const pids = await processesOf(uid, nodeProgram);
  if (pids.length === 0) throw new Error(`no process of the hub ${uid}`);
  for (const pid of pids) process.kill(pid, 'SIGKILL');
}

/** Begins a rolling update without a change. */
export async function startHubRollout(): Promise<void> {
  await kubectl('rollout', 'restart', ...deployment);
}

/** Waits until a rolling update of the hub is complete. */
export async function hubRolledOut(): Promise<void> {
  await kubectl('rollout', 'status', ...deployment, '--timeout=180s');
}

const podsSchema = v.object({
  items: v.array(
    v.object({
      metadata: v.object({ name: v.string(), uid: v.string(), deletionTimestamp: v.optional(v.string()) }),
      spec: v.object({ nodeName: v.optional(v.string()) }),
      status: v.object({
        conditions: v.optional(v.array(v.object({ type: v.string(), status: v.string() }))),
      }),
    }),
  ),
});
