import { expect, test } from 'vitest';
import { parseTargets } from './parse-targets.ts';
import type { Targets } from './targets.ts';

test.each<[positionals: readonly string[], selector: string | undefined, targets: Targets]>([
  [['web'], undefined, { kind: 'pods', names: ['web'] }],
  [['web', 'db', 'web'], undefined, { kind: 'pods', names: ['web', 'db'] }],
  [['pod/web', 'po/db', 'Pods/x'], undefined, { kind: 'pods', names: ['web', 'db', 'x'] }],
  [['capture.podcap.dev/web', 'cap/db'], undefined, { kind: 'pods', names: ['web', 'db'] }],
  [['a.b-1.c'], undefined, { kind: 'pods', names: ['a.b-1.c'] }],
  [['x'.repeat(253)], undefined, { kind: 'pods', names: ['x'.repeat(253)] }],
  [['deploy/web'], undefined, { kind: 'workload', type: 'deployment', name: 'web' }],
  [['deployment/web'], undefined, { kind: 'workload', type: 'deployment', name: 'web' }],
  [['deployments.apps/web'], undefined, { kind: 'workload', type: 'deployment', name: 'web' }],
  [['deployments.v1.apps/web'], undefined, { kind: 'workload', type: 'deployment', name: 'web' }],
  [['sts/db'], undefined, { kind: 'workload', type: 'statefulset', name: 'db' }],
  [['ds/agent'], undefined, { kind: 'workload', type: 'daemonset', name: 'agent' }],
  [['rs/web-1'], undefined, { kind: 'workload', type: 'replicaset', name: 'web-1' }],
  [['jobs.batch/import'], undefined, { kind: 'workload', type: 'job', name: 'import' }],
  [[], 'app=web,tier!=x', { kind: 'selector', selector: 'app=web,tier!=x' }],
])('%j with -l %j', (positionals, selector, targets) => {
  expect(parseTargets(positionals, selector)).toEqual(targets);
});

test.each<[positionals: readonly string[], selector: string | undefined, message: string]>([
  [[], undefined, 'name the Pods, or a workload as TYPE/NAME, or select Pods with -l'],
  [['web'], 'app=web', 'name Pods, or select them with -l: not both'],
  [[], ' ', '-l needs a selector such as app=web'],
  [
    ['deploy/web', 'db'],
    undefined,
    'deployment/web must be the only target: run a command for each, or use -l',
  ],
  [
    ['svc/web'],
    undefined,
    '"svc" is none of the types pod, deployment, statefulset, daemonset, replicaset, job',
  ],
  [['cj/nightly'], undefined, 'cj/nightly: name one of its Jobs as job/NAME; kubectl get jobs lists them'],
  [['Web'], undefined, '"Web" cannot be the name of a Pod or of TYPE/NAME'],
  [['shop/a/b'], undefined, '"shop/a/b" cannot be the name of a Pod or of TYPE/NAME'],
  [['deploy/'], undefined, '"deploy/" cannot be the name of a Pod or of TYPE/NAME'],
  [['..'], undefined, '".." cannot be the name of a Pod or of TYPE/NAME'],
  [['x'.repeat(254)], undefined, `"${'x'.repeat(254)}" cannot be the name of a Pod or of TYPE/NAME`],
])('%j with -l %j is refused: %s', (positionals, selector, message) => {
  expect(parseTargets(positionals, selector)).toEqual({ kind: 'problem', message });
});
