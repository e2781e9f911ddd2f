import * as v from 'valibot';
import { kubectl } from './test-cluster.ts';

const daemonSet = ['-n', 'kube-system', 'daemonset/podcap'] as const;

/** Patches the agents' DaemonSet and waits until every agent is of the new one. */
export async function patchAgents(spec: object): Promise<void> {
  const [flag, namespace, name] = daemonSet;
  await kubectl(flag, namespace, 'patch', name, '--patch', JSON.stringify({ spec }));
  await agentsRolledOut();
}

/** A rolling update to the same again. */
export async function restartAgents(): Promise<void> {
  await kubectl('rollout', 'restart', ...daemonSet);
  await agentsRolledOut();
}

async function agentsRolledOut(): Promise<void> {
  await kubectl('rollout', 'status', ...daemonSet, '--timeout=100s');
}

/** The agents' settings, which can be changed, and are as they were when it is disposed of. */
export async function agentSettings() {
  const found = v.parse(daemonSetSchema, JSON.parse(await kubectl('get', ...daemonSet, '-o', 'json')));
  const { updateStrategy, template } = found.spec;
  const args = template.spec.containers[0]?.args ?? [];
  return {
    /** Instead of all that were changed before. The last of a flag counts. */
    async change(...flags: readonly string[]): Promise<void> {
      // Both Nodes at once: half the time.
      await setAgents([...args, ...flags], { rollingUpdate: { maxSurge: '100%', maxUnavailable: 0 } });
    },
    [Symbol.asyncDispose]: () => setAgents(args, updateStrategy),
  };
}

async function setAgents(args: readonly string[], updateStrategy: object): Promise<void> {
  await patchAgents({ updateStrategy, template: { spec: { containers: [{ name: 'agent', args }] } } });
}

const daemonSetSchema = v.object({
  spec: v.object({
    updateStrategy: v.looseObject({}),
    template: v.object({
      spec: v.object({ containers: v.array(v.object({ args: v.array(v.string()) })) }),
    }),
  }),
});
