import * as v from 'valibot';
import { kubectl } from './run-kubectl.ts';

const daemonSet = ['-n', 'kube-system', 'daemonset/podcap'] as const;

/** Patches the spec of the agents' DaemonSet and waits until every agent is updated. */
export async function patchAgents(spec: object): Promise<void> {
  const [flag, namespace, name] = daemonSet;
  await kubectl(flag, namespace, 'patch', name, '--patch', JSON.stringify({ spec }));
  await agentsRolledOut();
}

/** Restarts every agent by a rolling update without a change. */
export async function restartAgents(): Promise<void> {
  await kubectl('rollout', 'restart', ...daemonSet);
  await agentsRolledOut();
}

async function agentsRolledOut(): Promise<void> {
  await kubectl('rollout', 'status', ...daemonSet, '--timeout=100s');
}

/** The flags of the deployed agents. Disposing restores them as they were. */
export type AgentSettings = AsyncDisposable & {
  /** Adds these flags, in place of those of an earlier change. The last one of a flag counts. */
  readonly change: (...flags: readonly string[]) => Promise<void>;
};

/** Reads the flags that the agents have now. */
export async function agentSettings(): Promise<AgentSettings> {
  const found = v.parse(daemonSetSchema, JSON.parse(await kubectl('get', ...daemonSet, '-o', 'json')));
  const { updateStrategy, template } = found.spec;
  const args = template.spec.containers[0]?.args ?? [];
  return {
    async change(...flags) {
      // Both Nodes at once takes half the time.
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
