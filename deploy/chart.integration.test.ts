import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import { annotationRules } from '../src/agent/planner/annotations.ts';
import { renderManifests } from '../tools/manifests.ts';
import { checkout } from '../tools/target.ts';
import { helm, render } from './testing/render-chart.ts';

const chart = join(import.meta.dirname, 'chart');
const packageSchema = v.object({ version: v.string() });
const valuesFiles = [
  ...(await readdir(join(chart, 'ci'))).map((name) => join(chart, 'ci', name)),
  join(import.meta.dirname, 'values-cluster.yaml'),
];

test('the manifests of deploy/ are those that `make render` writes', async () => {
  for (const [file, content] of await renderManifests()) {
    expect({ file, content: await readFile(join(checkout, file), 'utf8') }).toEqual({ file, content });
  }
});

test('the chart has the version of package.json', async () => {
  const { version } = v.parse(
    packageSchema,
    JSON.parse(await readFile(join(checkout, 'package.json'), 'utf8')),
  );
  const description = await readFile(join(chart, 'Chart.yaml'), 'utf8');
  expect(description).toContain(`\nversion: ${version}\nappVersion: ${version}\n`);
});

describe.each(valuesFiles)('with %s', (file) => {
  test('helm lint reports nothing', async () => {
    const { code, output } = await helm(['lint', '--strict', chart, '--values', file]);
    expect(output).toContain('0 chart(s) failed');
    expect(code).toBe(0);
  });

  test('helm template renders', async () => {
    expect((await render(file)).code).toBe(0);
  });
});

test('every value reaches the manifests', async () => {
  const { output } = await render(join(chart, 'ci/everything-values.yaml'));
  for (const flag of [
    '--max-files=50',
    '--max-file-megabytes=10',
    '--max-captures=30',
    '--disk-budget-megabytes=5000000',
    '--buffer-budget-megabytes=512',
    '--min-free-disk-percent=0',
    '--retention-seconds=0',
    '--buffer-kib=16384',
    '--pod-metrics=false',
    '--cni-resync-seconds=10',
    '--cni-results-folder=/var/lib/cni/cache/results',
    '--log-level=debug',
    '--probe-port=9999',
    '--metrics-port=9998',
    '--metrics-tls-folder=/etc/podcap/metrics-tls',
    '--capture-user=20002',
    '--api-port=6443',
    '--link-port=6444',
    '--probe-port=9797',
    '--metrics-port=9796',
    '--max-streams=50',
    '--max-streams-per-user=5',
  ])
    expect(output).toContain(`- ${flag}\n`);
  expect(output).toContain(`image: registry.example:5000/team/podcap@sha256:0123`);
  expect(output).not.toContain(':1.2.3');
  expect(output).toContain('supplementalGroups: [20002]');
  expect(output).toContain('path: /data/podcap,');
  expect(output).not.toContain('app: something-else');
  expect(output).not.toContain('priorityClassName');
  const optional = [
    'PodMonitor',
    'PrometheusRule',
    'ConfigMap',
    'Job',
    'NetworkPolicy',
    'SecurityContextConstraints',
  ];
  for (const kind of optional) expect(output).toContain(`kind: ${kind}\n`);
});

test('without values, nothing optional and no privilege is requested', async () => {
  const { output } = await render(join(chart, 'ci/minimal-values.yaml'));
  const kinds = [...output.matchAll(/^kind: (.*)$/gm)].map(([, kind]) => kind);
  expect(kinds).toEqual([
    'PriorityClass',
    'PodDisruptionBudget',
    'ServiceAccount',
    'ServiceAccount',
    'Secret',
    'ConfigMap',
    'CustomResourceDefinition',
    // The agents', the hub's, and those of users: view, download and tap.
    'ClusterRole',
    'ClusterRole',
    'ClusterRole',
    'ClusterRole',
    'ClusterRole',
    'ClusterRoleBinding',
    'ClusterRoleBinding',
    // The agents', the hub's, and that of agents for the hub.
    'Role',
    'Role',
    'Role',
    // The fourth is for the configuration of the API server's client certificates.
    'RoleBinding',
    'RoleBinding',
    'RoleBinding',
    'RoleBinding',
    'Service',
    'Service',
    'DaemonSet',
    'Deployment',
    'ValidatingAdmissionPolicy',
    'ValidatingAdmissionPolicy',
    'ValidatingAdmissionPolicyBinding',
    'ValidatingAdmissionPolicyBinding',
  ]);
  expect(output).not.toMatch(/privileged|hostNetwork|hostPID|hostIPC|seLinuxOptions/);
});

test.each([
  ['minimal', { maxFiles: 100, maxFileMegabytes: 100 }],
  ['everything', { maxFiles: 50, maxFileMegabytes: 10 }],
])(
  "with the values %s, both policies have the agent's annotations, with the same words and limits",
  async (name, limits) => {
    const { output } = await render(join(chart, `ci/${name}-values.yaml`));
    const rules = [...output.matchAll(/"annotation ([^"]*)=" \+\n.*\n +": must be (.*)"/g)].map(
      ([, key, allowed]) => ({ key, allowed }),
    );
    const agents = Object.values(annotationRules(limits)).map(({ key, allowed }) => ({ key, allowed }));
    expect(rules).toEqual([...agents, ...agents]);
  },
);

test('the cluster of make cluster has the policies of the product, except in the namespaces of tests', async () => {
  const policies = (yaml: string) =>
    yaml.split('\n---\n').filter((each) => /^kind: ValidatingAdm.*Policy$/m.test(each));
  const [product, ours] = await Promise.all(
    ['podcap', 'podcap-cluster'].map((name) => readFile(join(checkout, `deploy/${name}.yaml`), 'utf8')),
  );
  expect(policies(ours ?? '')).toEqual(policies(product ?? ''));
  expect(policies(ours ?? '')).toHaveLength(2);
  expect(ours).toContain('matchExpressions:\n        - key: podcap-test\n          operator: DoesNotExist\n');
});

describe('the hub', () => {
  test('does not change anything else: without it, the chart has what it had before there was one', async () => {
    const [withHub, without] = await Promise.all(
      ['{}', 'hub: { enabled: false }'].map(async (values) => objectsOf((await render('-', values)).output)),
    );
    const names = [...(without?.keys() ?? [])];
    expect(names.filter((name) => /hub|view|download|tap|link/.test(name))).toEqual([]);
    expect(names).toHaveLength(12);
    const others = [...(without ?? [])].filter(([name]) => !name.startsWith('DaemonSet'));
    for (const [name, yaml] of others) expect(withHub?.get(name)).toBe(yaml);
    const daemonSet = without?.get('DaemonSet test-podcap');
    expect(daemonSet).not.toMatch(/hub/);
    const ofHub = withHub
      ?.get('DaemonSet test-podcap')
      ?.split('\n')
      .filter((line) => !daemonSet?.split('\n').includes(line));
    expect(ofHub?.map((line) => line.trim())).toEqual([
      '- --hub=default/test-podcap-hub-link',
      '- { name: hub-token, mountPath: /var/run/secrets/podcap-hub, readOnly: true }',
      '# Says to the hub who the agent is. The API server does not accept it.',
      '- name: hub-token',
      'projected:',
      'sources:',
      '- serviceAccountToken: { path: token, audience: podcap-hub, expirationSeconds: 3600 }',
    ]);
  });

  test('is not installed before Kubernetes 1.30, which does not name the Node in a token', async () => {
    const { code, output } = await helm(['template', 'test', chart, '--kube-version', '1.29.0']);
    expect(code).toBe(0);
    expect(output).not.toContain('hub');
  });

  test('gets its Secret and ConfigMap without data, which upgrades would write over its own', async () => {
    const objects = objectsOf((await render('-', '{}')).output);
    expect(objects.get('Secret test-podcap-hub')).toMatch(/^type: Opaque$/m);
    for (const name of ['Secret test-podcap-hub', 'ConfigMap test-podcap-hub-ca'])
      expect(objects.get(name)).not.toMatch(/^(?:data|stringData|immutable):/m);
  });

  test("has Pods that the agents' DaemonSet does not select", async () => {
    const { output } = await render('-', 'hub: { podLabels: { app: packet-capture, team: network } }');
    const deployment = objectsOf(output).get('Deployment test-podcap-hub') ?? '';
    expect(deployment).toContain('        app: packet-capture-hub\n');
    expect(deployment).toContain('        team: network\n');
    expect(deployment).not.toMatch(/^ {8}app: packet-capture$/m);
  });

  test('may replace replicas one by one on the host network, where their ports are taken', async () => {
    const { output } = await render('-', 'hub: { hostNetwork: true, settings: { apiPort: 6443 } }');
    const deployment = objectsOf(output).get('Deployment test-podcap-hub') ?? '';
    expect(deployment).toContain('hostNetwork: true');
    expect(deployment).toContain('rollingUpdate: { maxSurge: 0, maxUnavailable: 1 }');
    const others = objectsOf((await render('-', '{}')).output).get('Deployment test-podcap-hub');
    expect(others).toContain('rollingUpdate: { maxSurge: 1, maxUnavailable: 0 }');
    expect(others).not.toContain('hostNetwork');
  });

  test.for([{}, { captureUser: 20_000 }])(
    'runs as a user who may not read captures: %j',
    async (settings) => {
      const { output } = await render('-', JSON.stringify({ settings }));
      const deployment = objectsOf(output).get('Deployment test-podcap-hub') ?? '';
      const { captureUser = 10_001 } = settings;
      for (const key of ['runAsUser', 'runAsGroup', 'fsGroup'])
        expect(deployment).toContain(`${key}: ${captureUser + 1}\n`);
    },
  );

  test('runs as the user that OpenShift gives it', async () => {
    const { output } = await render('-', 'securityContextConstraints: { enabled: true }');
    const deployment = objectsOf(output).get('Deployment test-podcap-hub');
    expect(deployment).toContain('runAsNonRoot: true');
    expect(deployment).not.toContain('runAsUser');
  });

  test('has a NetworkPolicy: the API server from anywhere, agents alone on the link', async () => {
    const { output } = await render('-', 'networkPolicy: { enabled: true }');
    const policy = objectsOf(output).get('NetworkPolicy test-podcap-hub') ?? '';
    expect(policy).toMatch(/ingress:\n +#.*\n +- ports:\n +- \{ protocol: TCP, port: api \}\n +- from:/);
    expect(policy).toMatch(/podSelector:\n +matchLabels:\n +app: packet-capture\n/);
    expect(policy).toMatch(/ports:\n +- \{ protocol: TCP, port: link \}/);
    expect(policy).not.toContain('port: metrics');
  });
});

/** The objects by kind and name. */
function objectsOf(output: string): ReadonlyMap<string, string> {
  return new Map(
    output.split('\n---\n').map((yaml) => {
      const [, kind] = /^kind: (.*)$/m.exec(yaml) ?? [];
      const [, name] = /^metadata:\n {2}name: (.*)$/m.exec(yaml) ?? [];
      return [`${kind} ${name}`, yaml];
    }),
  );
}

test('the policies are not installed on an API server that does not have them', async () => {
  const old = ['--kube-version', '1.29.0'];
  const everything = ['--values', join(chart, 'ci/everything-values.yaml')];
  const { code, output } = await helm(['template', 'test', chart, ...old, ...everything]);
  expect(code).toBe(0);
  expect(output).not.toContain('ValidatingAdmissionPolicy');
});

test('whoever creates a CapturePolicy needs the same permission as whoever annotates a Pod', async () => {
  const { output } = await render('-', 'admission: { allowedUsers: { enabled: true } }');
  const check =
    'authorizer.group("podcap.dev").resource("captures").namespace(request.namespace).check("create").allowed()';
  expect(output.split(check)).toHaveLength(3);
  expect(output).toContain('name: test-podcap-allowed-policy-users\n');
  expect((await render('-', '{}')).output).not.toContain('allowed-policy-users');
});

test('Helm keeps the CRD, which has the limits of the settings and can be left out', async () => {
  const only = ['--show-only', 'templates/crd.yaml'];
  const { output } = await render(join(chart, 'ci/everything-values.yaml'), '', only);
  expect(output).toContain('helm.sh/resource-policy: keep\n');
  expect(output).toMatch(/ files:\n(?: .*\n)+? +maximum: 50\n/);
  expect(output).toMatch(/ fileSize:\n(?: .*\n)+? +maximum: 10\n/);
  const without = await render('-', 'crds: { install: false }');
  expect(without.code).toBe(0);
  expect(without.output).not.toContain('CustomResourceDefinition');
});

test('the PodMonitor and the NetworkPolicy use the port of the metrics, over TLS if it is configured', async () => {
  const { output } = await render(join(chart, 'ci/everything-values.yaml'));
  expect(output).toContain('- { name: metrics, containerPort: 9998 }');
  expect(output).toContain('secret: { secretName: podcap-metrics, defaultMode: 0400 }');
  expect(output).toMatch(/- port: metrics\n +scheme: https\n +tlsConfig:\n(?: +.*\n)+ +path: \/metrics/);
  expect(output).toContain('- { protocol: TCP, port: metrics }');
  const plain = await render('-', 'networkPolicy: { enabled: true, metricsFrom: [{ podSelector: {} }] }');
  expect(plain.output).toContain('- { protocol: TCP, port: metrics }');
  expect(plain.output).not.toContain('metrics-tls');
});

test("without metricsFrom, the agents' NetworkPolicy admits no Pod", async () => {
  const { output } = await render('-', '{ networkPolicy: { enabled: true }, hub: { enabled: false } }');
  expect(output).toContain('policyTypes: [Ingress]');
  expect(output).not.toContain('ingress:');
});

test('SELinux options apply to the agent and the Pods that purge', async () => {
  const { output } = await render(join(chart, 'ci/selinux-values.yaml'));
  expect(output.match(/^ +type: spc_t$/gm)).toHaveLength(2);
});

test.each([
  ['settings: { maxFile: 5 }', "'maxFile' not allowed"],
  ['settings: { maxFiles: 0 }', '/settings/maxFiles'],
  ['settings: { maxFiles: "5; reboot" }', '/settings/maxFiles'],
  ['settings: { bufferKib: 64 }', '/settings/bufferKib'],
  ['settings: { minFreeDiskPercent: 91 }', '/settings/minFreeDiskPercent'],
  ['settings: { podMetrics: "yes" }', '/settings/podMetrics'],
  ['settings: { logLevel: loud }', '/settings/logLevel'],
  ['settings: { probePort: null }', "missing property 'probePort'"],
  ['image: podcap', "'/image'"],
  ['image: { repository: "podcap:latest" }', '/image/repository'],
  ['image: { tag: 1.2 }', '/image/tag'],
  ['image: { digest: latest }', '/image/digest'],
  ['image: { pullPolicy: Sometimes }', '/image/pullPolicy'],
  ['hostPaths: { captures: / }', '/hostPaths/captures'],
  ['hostPaths: { captures: /var/lib/../../etc }', '/hostPaths/captures'],
  ['hostPaths: { captures: var/lib/podcap }', '/hostPaths/captures'],
  ['privileged: true', "'privileged' not allowed"],
  ['seLinuxOptions: { typ: spc_t }', "'typ' not allowed"],
  ['priorityClassName: system-node-critical', "'priorityClassName' not allowed"],
  ['priorityClass: { create: "no" }', '/priorityClass/create'],
  ['nodeRequirements: [{ key: type, operator: Not }]', '/nodeRequirements/0/operator'],
  ['securityContextConstraints: { enabled: "yes" }', '/securityContextConstraints/enabled'],
  ['probes: { liveness: { path: /readyz } }', "'path' not allowed"],
  ['extraArgs: ["-z"]', '/extraArgs/0'],
  ['podLabels: { team: 5 }', '/podLabels/team'],
  ['podMonitor: { enabled: "no" }', '/podMonitor/enabled'],
  ['tolerations: { operator: Exists }', '/tolerations'],
  ['admission: { allowedValues: { failurePolicy: Open } }', '/admission/allowedValues/failurePolicy'],
  ['admission: { allowedUsers: { enabled: "yes" } }', '/admission/allowedUsers/enabled'],
  ['admission: { warnings: { enabled: 1 } }', '/admission/warnings/enabled'],
  ['admission: { selector: {} }', "'selector' not allowed"],
  ['crds: { install: "no" }', '/crds/install'],
  ['crds: { keep: true }', "'keep' not allowed"],
  ['metricsTls: { secretName: "Not A Name" }', '/metricsTls/secretName'],
  ['networkPolicy: { metricsFrom: monitoring }', '/networkPolicy/metricsFrom'],
  ['hub: { enabled: "no" }', '/hub/enabled'],
  ['hub: { replicas: -1 }', '/hub/replicas'],
  ['hub: { port: 10250 }', "'port' not allowed"],
  ['hub: { settings: { apiPort: null } }', "missing property 'apiPort'"],
  ['hub: { settings: { linkPort: 0 } }', '/hub/settings/linkPort'],
  ['hub: { hostNetwork: true }', '/hub/settings/apiPort'],
])('refuses %s and names the value', async (values, where) => {
  const { code, output } = await render('-', values);
  expect(code).not.toBe(0);
  expect(output).toContain(where);
});
