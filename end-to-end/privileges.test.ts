import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as v from 'valibot';
import { expect } from 'vitest';
import { until } from '../src/base/until.ts';
import { run } from '../src/testbed/run-program.ts';
import { agentOn, execInAgent } from './support/agents.ts';
import { capturedPod } from './support/captured-pod.ts';
import { test as clusterTest } from './support/cluster-test.ts';
import { tcpdumpsOf } from './support/pod-processes.ts';
import { ringFiles } from './support/ring-contents.ts';
import { kubectl } from './support/run-kubectl.ts';

/** Bit numbers, from linux/capability.h. */
const capabilities = { KILL: 5, SETGID: 6, SETUID: 7, SETPCAP: 8, NET_RAW: 13, SYS_ADMIN: 21 };

const captureUser = 10_001;

const test = clusterTest.extend('captured', { scope: 'file' }, ({ cluster }) => capturedPod(cluster, 'web'));

test('the agent has six capabilities, a system call filter, and three folders of the host', async () => {
  const status = await execInAgent('node1', 'cat', '/proc/1/status');
  const allowed = bits(Object.values(capabilities));
  for (const set of ['CapPrm', 'CapEff', 'CapBnd'])
    expect(status).toMatch(new RegExp(`^${set}:\\s${allowed}$`, 'm'));
  expect(status).toMatch(/^NoNewPrivs:\t1$/m);
  expect(status).toMatch(/^Seccomp:\t2$/m);

  const { spec } = v.parse(
    podSchema,
    JSON.parse(await kubectl('-n', 'kube-system', 'get', 'pod', await agentOn('node1'), '-o', 'json')),
  );
  expect(spec).not.toHaveProperty('hostNetwork');
  expect(spec).not.toHaveProperty('hostPID');
  expect(spec).not.toHaveProperty('hostIPC');
  expect(spec.containers).toHaveLength(1);
  expect(spec.containers[0]?.securityContext).toEqual({
    runAsUser: 0,
    readOnlyRootFilesystem: true,
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'], add: ['SYS_ADMIN', 'NET_RAW', 'SETUID', 'SETGID', 'SETPCAP', 'KILL'] },
  });
  const hostFolders = spec.volumes.flatMap(({ hostPath }) => hostPath?.path ?? []);
  expect(hostFolders.toSorted()).toEqual(['/run/netns', '/var/lib/cni', '/var/lib/podcap']);
});

test("tcpdump has only NET_RAW, its own user, and the captured Pod's network", async ({ captured }) => {
  const [pid] = await tcpdumpsOf(captured);
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) {
    expect(status).toMatch(new RegExp(`^${set}:\\s${bits([capabilities.NET_RAW])}$`, 'm'));
  }
  expect(status).toMatch(/^Uid:\t10001\t10001\t10001\t10001$/m);
  expect(status).toMatch(/^Groups:\s*$/m);
  expect(status).toMatch(/^NoNewPrivs:\t1$/m);
  expect(await readFile(`/proc/${pid}/net/fib_trie`, 'utf8')).toContain(captured.ip);
});

test('only root and the user of tcpdump can read captures', async ({ captured: { folder } }) => {
  const file = await until(async () => (await ringFiles(folder))[0], { what: 'a file' });
  const paths = [dirname(folder), folder, ...(await readdir(folder)).map((name) => join(folder, name))];
  for (const path of paths) {
    const { mode, uid, gid } = await stat(path);
    expect({ path, others: mode & 0o007 }).toEqual({ path, others: 0 });
    expect([0, captureUser]).toContain(uid);
    expect([0, captureUser]).toContain(gid);
  }
  const readAs = (user: number) =>
    run(['setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups', 'cat', join(folder, file.name)]);
  await expect(readAs(captureUser)).resolves.toBeTypeOf('string');
  await expect(readAs(captureUser + 1)).rejects.toThrow('Permission denied');
});

test('the API server allows the agent to get, list and watch Pods, to write Events, to get its DaemonSet, and nothing else', async () => {
  const account = '--as=system:serviceaccount:kube-system:podcap';
  const can = async (...what: readonly string[]) => {
    return (await kubectl('auth', 'can-i', ...what, account, '--all-namespaces').catch(() => 'no')).trim();
  };
  for (const verb of ['get', 'list', 'watch']) expect(await can(verb, 'pods')).toBe('yes');
  for (const verb of ['create', 'patch']) expect(await can(verb, 'events')).toBe('yes');
  const policies = 'capturepolicies.policy.podcap.dev';
  for (const verb of ['list', 'watch']) expect(await can(verb, policies)).toBe('yes');
  for (const verb of ['create', 'update', 'patch', 'delete']) expect(await can(verb, policies)).toBe('no');
  for (const verb of ['create', 'update', 'patch', 'delete']) expect(await can(verb, 'pods')).toBe('no');
  expect(await can('create', 'pods', '--subresource=exec')).toBe('no');
  const inKubeSystem = (...what: readonly string[]) =>
    kubectl('auth', 'can-i', ...what, account, '-n', 'kube-system').catch(() => 'no');
  expect((await inKubeSystem('get', 'daemonsets/podcap')).trim()).toBe('yes');
  for (const what of ['get daemonsets', 'get daemonsets/kube-proxy', 'delete daemonsets/podcap'])
    expect(await inKubeSystem(...what.split(' '))).toBe('no');
  for (const what of ['list endpointslices.discovery.k8s.io', 'watch endpointslices.discovery.k8s.io'])
    expect((await inKubeSystem(...what.split(' '))).trim()).toBe('yes');
  expect((await inKubeSystem('get', 'configmaps/podcap-hub-ca')).trim()).toBe('yes');
  for (const what of [
    'update configmaps/podcap-hub-ca',
    'get secrets/podcap-hub',
    'get endpointslices.discovery.k8s.io',
  ])
    expect((await inKubeSystem(...what.split(' '))).trim()).toBe('no');
  for (const resource of ['secrets', 'configmaps', 'nodes']) expect(await can('get', resource)).toBe('no');
});

test('the API server allows the hub its own objects, reviews and namespaces, and nothing else', async () => {
  const account = '--as=system:serviceaccount:kube-system:podcap-hub';
  const can = async (what: string, ...where: readonly string[]) =>
    (await kubectl('auth', 'can-i', ...what.split(' '), account, ...where).catch(() => 'no')).trim();
  const allowed = [
    'create tokenreviews.authentication.k8s.io',
    'create subjectaccessreviews.authorization.k8s.io',
    'get namespaces',
    'patch apiservices.apiregistration.k8s.io/v1alpha1.podcap.dev',
    'delete apiservices.apiregistration.k8s.io/v1alpha1.podcap.dev',
    'get clusterroles.rbac.authorization.k8s.io/podcap-hub',
    'get secrets/podcap-hub',
    'update secrets/podcap-hub',
    'get configmaps/podcap-hub-ca',
    'update configmaps/podcap-hub-ca',
    'get configmaps/extension-apiserver-authentication',
    'get daemonsets.apps/podcap',
    'get deployments.apps/podcap-hub',
  ];
  for (const what of allowed)
    expect({ what, answer: await can(what, '-n', 'kube-system') }).toEqual({ what, answer: 'yes' });
  const refused = [
    'get pods',
    'create pods --subresource=exec',
    'create secrets',
    'list secrets',
    'get secrets/other',
    'get configmaps/other',
    'patch apiservices.apiregistration.k8s.io/v1.apps',
    'list namespaces',
    'create serviceaccounts --subresource=token',
    'get captures.podcap.dev',
  ];
  for (const what of refused)
    expect({ what, answer: await can(what, '-n', 'kube-system') }).toEqual({ what, answer: 'no' });
});

const podSchema = v.object({
  spec: v.looseObject({
    containers: v.array(v.object({ securityContext: v.unknown() })),
    volumes: v.array(v.object({ hostPath: v.optional(v.object({ path: v.string() })) })),
  }),
});

/** A set of capabilities in the format of /proc/<pid>/status. */
function bits(numbers: readonly number[]): string {
  return numbers
    .reduce((set, bit) => set | (1n << BigInt(bit)), 0n)
    .toString(16)
    .padStart(16, '0');
}
