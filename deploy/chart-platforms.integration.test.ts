import { describe, expect, test } from 'vitest';
import { render } from './testing/render-chart.ts';

test('no agent preempts a Pod, the Pods that purge have no priority, and the hub has that of the cluster itself', async () => {
  const { output } = await render('-', 'purgeOnUninstall: true');
  expect(output).toContain('preemptionPolicy: Never');
  expect(output.match(/^ +priorityClassName: .*$/gm)).toEqual([
    '      priorityClassName: test-podcap',
    '      priorityClassName: system-cluster-critical',
  ]);
  const own = await render('-', 'priorityClass: { create: false, name: system-node-critical }');
  expect(own.output).not.toContain('kind: PriorityClass');
  expect(own.output).toContain('priorityClassName: system-node-critical');
});

const virtualNodes = ['type', 'virtualization', 'eks.amazonaws.com/compute-type', 'liqo.io/type'];

test('no Pod of the release runs on virtual Nodes: agents, hub, and those that purge', async () => {
  const { output } = await render('-', 'purgeOnUninstall: true');
  expect(nodeSelectorTerms(output)).toEqual([[virtualNodes], [virtualNodes], [virtualNodes]]);
});

test.each([
  ['no terms', '{ podAffinity: {} }', [virtualNodes]],
  [
    'two terms, of which one is enough',
    terms('{ matchExpressions: [{ key: pool, operator: Exists }] }, { matchFields: [] }'),
    [['pool', ...virtualNodes], virtualNodes],
  ],
])('an affinity with %s excludes virtual Nodes as well', async (_what, affinity, expected) => {
  const { output } = await render('-', `hub: { enabled: false }\naffinity: ${affinity}`);
  expect(nodeSelectorTerms(output)).toEqual([expected]);
});

test('without nodeRequirements, affinity is used as it is', async () => {
  const { output } = await render('-', 'nodeRequirements: []\naffinity: { podAffinity: {} }');
  expect(output).toContain('affinity:\n        podAffinity: {}\n');
  expect(output).not.toContain('nodeAffinity');
});

describe('SecurityContextConstraints', () => {
  const openshift = ['--api-versions', 'security.openshift.io/v1'];

  test('are rendered only for a cluster that has them, unless a value decides', async () => {
    const kind = 'kind: SecurityContextConstraints';
    expect((await render('-', '')).output).not.toContain(kind);
    expect((await render('-', '', openshift)).output).toContain(kind);
    const [off, on] = [false, true].map((enabled) => `securityContextConstraints: { enabled: ${enabled} }`);
    expect((await render('-', off, openshift)).output).not.toContain(kind);
    expect((await render('-', on)).output).toContain(kind);
  });

  test('allow what the Pods have, and nothing else', async () => {
    const { output } = await render('-', 'purgeOnUninstall: true', openshift);
    const allowed = [...output.matchAll(/^allowedCapabilities: (.*)$/gm)].map(([, names = '']) =>
      JSON.parse(names),
    );
    const added = [...output.matchAll(/^ {16}- ([A-Z_]+) #/gm)].map(([, name]) => name);
    expect(added).toHaveLength(6);
    expect(allowed).toEqual([added]);
    expect(output.match(/^allow(?!edCapabilities).*: true$/gm)).toEqual(
      Array(2).fill('allowHostDirVolumePlugin: true'),
    );
    expect(output.match(/^volumes: .*$/gm)).toEqual(Array(2).fill('volumes: [hostPath, projected]'));
    expect(output.match(/^ +type: spc_t$/gm)).toHaveLength(2);
  });

  test('can be used only by the ServiceAccounts of the release', async () => {
    const { output } = await render('-', 'purgeOnUninstall: true', openshift);
    expect(output).not.toMatch(/^(users|groups):/m);
    const rule = /resources: \[securitycontextconstraints\]\n +resourceNames: \[(.*)\]\n +verbs: (.*)/g;
    expect([...output.matchAll(rule)].map(([, name, verbs]) => [name, verbs])).toEqual([
      ['test-podcap', '[use]'],
      ['test-podcap-purge', '[use]'],
    ]);
    expect(output).toContain('openshift.io/required-scc: test-podcap\n');
    expect(output).toContain(
      'serviceAccountName: test-podcap-purge\n      automountServiceAccountToken: false',
    );
  });
});

function terms(list: string): string {
  return `{ nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [${list}] } } }`;
}

/** For each Pod with a nodeAffinity: the keys that each of its terms demands. */
function nodeSelectorTerms(output: string): string[][][] {
  const lists = output.matchAll(/nodeSelectorTerms:\n((?: {12}.*\n)+)/g);
  return [...lists].map(([, list = '']) =>
    list
      .split(/^ {12}- /m)
      .slice(1)
      .map((term) => [...term.matchAll(/key: (\S+)/g)].map(([, key = '']) => key)),
  );
}
