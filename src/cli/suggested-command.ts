import type { Kubectl } from './kubectl/kubectl.ts';
import { shellWord } from './target-arguments.ts';

/** The flags of this command that decide which cluster and which namespace it is about. */
export type CommandPlace = { readonly placeFlags?: readonly string[] };

/** Those that were given: -n and --context, and others that choose a cluster. */
export function placeFlagsOf({ namespace, flags }: Pick<Kubectl, 'namespace' | 'flags'>): readonly string[] {
  const ofCluster = flags.filter((flag) => /^--(context|kubeconfig|cluster|server)=/.test(flag));
  return [...(namespace === undefined ? [] : ['-n', namespace]), ...ofCluster];
}

/** A command to paste into a shell, about the same cluster and namespace as this one. */
export function suggestedCommand(command: string, { placeFlags = [] }: CommandPlace): string {
  return [command, ...placeFlags.map(shellWord)].join(' ');
}

/** The same with the namespace, even if it was not given: for what does more harm in another one. */
export function withNamespace({ placeFlags = [] }: CommandPlace, namespace: string): CommandPlace {
  return { placeFlags: placeFlags[0] === '-n' ? placeFlags : ['-n', namespace, ...placeFlags] };
}
