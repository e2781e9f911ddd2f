import { type Targets, type WorkloadType, workloadTypes } from './targets.ts';

/**
 * Which Pods are meant by the arguments without a dash (POD..., pod/POD..., or one TYPE/NAME) or by a label selector
 * (-l); a message says what is wrong with them.
 */
export function parseTargets(
  positionals: readonly string[],
  selector: string | undefined,
): Targets | { readonly kind: 'problem'; readonly message: string } {
  if (selector !== undefined) {
    if (positionals.length > 0) return problem('name Pods, or select them with -l: not both');
    if (selector.trim() === '') return problem('-l needs a selector such as app=web');
    return { kind: 'selector', selector };
  }
  const [first] = positionals;
  if (first === undefined)
    return problem('name the Pods, or a workload as TYPE/NAME, or select Pods with -l');
  const named = positionals.map(namedTarget);
  const wrong = named.find((each) => each.kind === 'problem');
  if (wrong) return wrong;
  const workload = named.find((each) => each.kind === 'workload');
  if (workload && positionals.length > 1) {
    return problem(
      `${workload.type}/${workload.name} must be the only target: run a command for each, or use -l`,
    );
  }
  if (workload) return workload;
  const names = named.flatMap((each) => (each.kind === 'pods' ? each.names : []));
  return { kind: 'pods', names: [...new Set(names)] };
}

type Problem = { readonly kind: 'problem'; readonly message: string };

function namedTarget(text: string): Exclude<Targets, { readonly kind: 'selector' }> | Problem {
  const slash = text.indexOf('/');
  const name = text.slice(slash + 1);
  if (!isObjectName(name))
    return problem(`${JSON.stringify(text)} cannot be the name of a Pod or of TYPE/NAME`);
  if (slash === -1) return { kind: 'pods', names: [name] };
  const written = text.slice(0, slash);
  const word = written.toLowerCase().replace(/[.](v1[.])?(apps|batch)$|[.](v1alpha1[.])?podcap[.]dev$/, '');
  if (podWords.has(word)) return { kind: 'pods', names: [name] };
  const type = workloadTypeOf(word);
  if (type) return { kind: 'workload', type, name };
  if (cronJobWords.has(word)) {
    return problem(`${text}: name one of its Jobs as job/NAME; kubectl get jobs lists them`);
  }
  return problem(`${JSON.stringify(written)} is none of the types pod, ${workloadTypes.join(', ')}`);
}

/** The type of workload that a word of kubectl means: singular, plural or short; undefined if it means none. */
export function workloadTypeOf(word: string): WorkloadType | undefined {
  return workloadTypes.find((type) => [type, `${type}s`, shortNames[type]].includes(word));
}

const shortNames: Readonly<Record<WorkloadType, string | undefined>> = {
  deployment: 'deploy',
  statefulset: 'sts',
  daemonset: 'ds',
  replicaset: 'rs',
  job: undefined,
};
/** A capture has the name of its Pod: `kubectl podcap list -o name` prints capture.podcap.dev/NAME. */
const podWords = new Set(['pod', 'pods', 'po', 'capture', 'captures', 'cap']);
const cronJobWords = new Set(['cronjob', 'cronjobs', 'cj']);

/** What Kubernetes allows as the name of a Pod (RFC 1123, a subdomain). */
function isObjectName(text: string): boolean {
  return (
    text.length <= 253 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(text)
  );
}

function problem(message: string): Problem {
  return { kind: 'problem', message };
}
