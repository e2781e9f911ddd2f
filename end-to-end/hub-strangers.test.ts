import { join } from 'node:path';
import { expect } from 'vitest';
import { stateFolders } from '../cluster/layout.ts';
import { run } from '../src/testbed/run-program.ts';
import { temporaryFolder } from '../src/testbed/temporary-folder.ts';
import { agentOn, execInAgent } from './support/agents.ts';
import { capturesPath } from './support/capture-requests.ts';
import { capturedPod, sendCaptured } from './support/captured-pod.ts';
import { test as clusterTest } from './support/cluster-test.ts';
import { range } from './support/consecutive.ts';
import {
  askHubDirectly,
  holdConnections,
  type TokenOptions,
  tokenFor,
  welcomeOf,
} from './support/hub-strangers.ts';
import { numbersInCapture } from './support/numbers-in-capture.ts';
import { idle } from './support/pod-manifests.ts';
import { kubectl, kubectlBytes } from './support/run-kubectl.ts';

const agentTokenFile = '/var/run/secrets/podcap-hub/token';

const test = clusterTest
  .extend('stranger', { scope: 'file' }, ({ cluster }) =>
    cluster.start(idle({ name: 'stranger', node: 'node1', spec: { serviceAccountName: 'default' } })),
  )
  .extend('certificates', { scope: 'file' }, async ({}, { onCleanup }) => {
    const folder = await temporaryFolder();
    onCleanup(() => folder[Symbol.asyncDispose]());
    return {
      /** The options of curl for a client certificate of that name, signed by a CA of the cluster, or by itself. */
      async named(name: string, signer: 'front-proxy-ca' | 'ca' | 'itself'): Promise<string[]> {
        const file = (end: string) => join(folder.path, `${signer}-${name.replaceAll(/[^a-z]/g, '')}.${end}`);
        const by = [
          '-CA',
          join(stateFolders.pki, `${signer}.crt`),
          '-CAkey',
          join(stateFolders.pki, `${signer}.key`),
        ];
        const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
        const use = ['-addext', 'extendedKeyUsage=clientAuth', '-days', '1', '-subj', `/CN=${name}`];
        const files = ['-keyout', file('key'), '-out', file('crt')];
        await run(['openssl', 'req', '-x509', ...(signer === 'itself' ? [] : by), ...key, ...use, ...files]);
        return ['--cert', file('crt'), '--key', file('key')];
      },
    };
  });

const asAdministrator = ['-H', 'X-Remote-User: admin', '-H', 'X-Remote-Group: system:masters'];

test('the token with which an agent connects to the hub is accepted there, and opens no API', async () => {
  const token = await execInAgent('node1', 'cat', agentTokenFile);
  expect(await welcomeOf(token)).toMatchObject({ kind: 'welcome' });
  // Its audience is the hub's: the API server does not accept it at all.
  const server = (await kubectl('config', 'view', '-o', 'jsonpath={.clusters[0].cluster.server}')).trim();
  for (const path of [capturesPath(), '/api/v1/pods']) {
    const status = ['-sk', '-o', '/dev/null', '-w', '%{http_code}'];
    expect(await run(['curl', ...status, '-H', `Authorization: Bearer ${token}`, `${server}${path}`])).toBe(
      '401',
    );
  }
  const bearer = ['-H', `Authorization: Bearer ${token}`];
  expect((await askHubDirectly(capturesPath(), ...bearer, ...asAdministrator)).status).toBe(401);
});

test('an agent may not read captures through the API server, with the token for it', async () => {
  const account = '--as=system:serviceaccount:kube-system:podcap';
  for (const verb of ['get', 'list', 'watch', 'delete', 'download', 'tap', 'create'])
    expect(
      (await kubectl('auth', 'can-i', verb, 'captures.podcap.dev', account, '-A').catch(() => 'no')).trim(),
    ).toBe('no');
});

type StrangersToken = (of: { readonly agent: string; readonly namespace: string }) => TokenOptions;

test.for<[string, string, StrangersToken]>([
  ['the agents, without a Pod', 'NoPod', () => ({ account: 'podcap' })],
  ['the agents, for a Node', 'NoPod', () => ({ account: 'podcap', boundTo: 'Node/node2' })],
  [
    'the agents, for another audience',
    'WrongAudience',
    ({ agent }) => ({
      account: 'podcap',
      boundTo: `Pod/${agent}`,
      audience: 'https://kubernetes.default.svc',
    }),
  ],
  ['the hub', 'WrongAccount', () => ({ account: 'podcap-hub' })],
  [
    'another namespace, of a Pod',
    'WrongAccount',
    ({ namespace }) => ({ namespace, account: 'default', boundTo: 'Pod/stranger' }),
  ],
])('a token of the account of %s is refused: %s', async ([, reason, options], { cluster, stranger }) => {
  const { namespace } = stranger;
  expect(namespace).toBe(cluster.namespace);
  const token = await tokenFor(options({ agent: await agentOn('node1'), namespace }));
  expect(await welcomeOf(token)).toMatchObject({ kind: 'refused', reason });
});

test('a token of a Pod that is gone, and one that nobody has signed, are refused', async () => {
  const name = 'podcap-test-gone';
  const spec = { containers: [{ name: 'main', image: 'podcap:latest', command: ['sleep', 'infinity'] }] };
  const overrides = JSON.stringify({ spec: { ...spec, serviceAccountName: 'podcap', nodeName: 'node2' } });
  const image = ['--image=podcap:latest', '--image-pull-policy=IfNotPresent', `--overrides=${overrides}`];
  await kubectl('-n', 'kube-system', 'run', name, ...image);
  let token: string;
  try {
    token = await tokenFor({ account: 'podcap', boundTo: `Pod/${name}` });
  } finally {
    await kubectl('-n', 'kube-system', 'delete', 'pod', name, '--grace-period=0', '--force');
  }
  expect(await welcomeOf(token)).toMatchObject({ kind: 'refused', reason: 'TokenInvalid' });
  const [header, claims] = (await execInAgent('node1', 'cat', agentTokenFile)).split('.');
  const forged = `${header}.${claims}.${Buffer.alloc(64, 1).toString('base64url')}`;
  expect(await welcomeOf(forged)).toMatchObject({ kind: 'refused', reason: 'TokenInvalid' });
});

test.for([
  ['no certificate', undefined],
  ['a certificate that it has signed itself', ['front-proxy-client', 'itself']],
  ["a certificate of the cluster's CA with the name of the API server", ['front-proxy-client', 'ca']],
  ["another aggregated API server's name, of the right CA", ['metrics-server', 'front-proxy-ca']],
] as const)(
  'whoever reaches the hub past the API server with %s is nobody',
  async ([, by], { certificates }) => {
    const certificate = by === undefined ? [] : await certificates.named(by[0], by[1]);
    const answer = await askHubDirectly(capturesPath(), ...certificate, ...asAdministrator).catch(
      () => undefined,
    );
    // Refused by TLS, or with a Status that names nothing.
    expect([undefined, 401]).toContain(answer?.status);
    expect(answer?.body ?? '').not.toContain('items');
  },
);

test("a certificate of the right CA with the API server's name is the API server", async ({
  certificates,
}) => {
  const certificate = await certificates.named('front-proxy-client', 'front-proxy-ca');
  const answer = await askHubDirectly(capturesPath(), ...certificate, ...asAdministrator);
  expect(answer.status).toBe(200);
  expect(answer.body).toContain('"items"');
  // Without the headers of a user, it speaks for nobody.
  expect((await askHubDirectly(capturesPath(), ...certificate)).status).toBe(401);
});

test('headers of identity that a user sends through the API server are not believed', async ({ cluster }) => {
  const inNamespace = (...args: readonly string[]) => kubectl('-n', cluster.namespace, ...args);
  await inNamespace('create', 'serviceaccount', 'reader');
  const resource = '--resource=captures.podcap.dev,captures.podcap.dev/log';
  await inNamespace('create', 'role', 'reader', '--verb=get,list,watch', resource);
  await inNamespace(
    'create',
    'rolebinding',
    'reader',
    '--role=reader',
    `--serviceaccount=${cluster.namespace}:reader`,
  );
  const token = (await inNamespace('create', 'token', 'reader')).trim();
  const server = (await kubectl('config', 'view', '-o', 'jsonpath={.clusters[0].cluster.server}')).trim();
  const url = `${server}${capturesPath(cluster.namespace)}/web/log`;
  // The API server lets the request pass; the hub asks for a verb that only administrators have.
  const answer = await run(['curl', '-sk', '-H', `Authorization: Bearer ${token}`, ...asAdministrator, url]);
  expect(JSON.parse(answer)).toMatchObject({ code: 403, message: expect.stringContaining('verb download') });
});

test('what the hub publishes for agents has no key', async () => {
  const published = await kubectl('-n', 'kube-system', 'get', 'configmap', 'podcap-hub-ca', '-o', 'yaml');
  expect(published).toContain('BEGIN CERTIFICATE');
  expect(published).not.toContain('PRIVATE KEY');
});

test.for([
  ['API', 10_250],
  ['link', 10_251],
] as const)(
  '1,000 idle and slow connections to the %s port of each replica stop no download',
  async ([, port], { cluster, receiver }) => {
    const pod = await capturedPod(cluster, `busy-${port}`);
    await sendCaptured(cluster, pod, { receiver, count: 50 });
    await using _connections = await holdConnections(port, 1_000);
    for (let times = 0; times < 10; times += 1) {
      const bytes = await kubectlBytes('get', '--raw', `${capturesPath(cluster.namespace)}/${pod.name}/log`);
      expect(await numbersInCapture(bytes)).toEqual(range(0, 50));
    }
    // An agent can still connect, too: from its own address, as every Pod has.
    const token = await execInAgent('node2', 'cat', agentTokenFile);
    expect(await welcomeOf(token, 'node2')).toMatchObject({ kind: 'welcome' });
  },
);
