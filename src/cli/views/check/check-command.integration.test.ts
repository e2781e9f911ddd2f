import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { built } from '../../../../tools/go-program.ts';
import { testCapture, testRecording } from '../../../hub/api/testing/memory-captures.ts';
import { temporaryFolder } from '../../../testbed/temporary-folder.ts';
import { type SceneHandler, sendObject } from '../../kubectl/testing/kubectl-scene.ts';
import { cliTerminal } from '../../testing/cli-terminal.ts';
import { capturesScene } from '../testing/captures-scene.ts';
import { checkCommand } from './check-command.ts';

// The first run builds kubectl, which takes minutes.
beforeAll(() => built('kubectl'), 1_200_000);

const captures = [
  testCapture(),
  testCapture({
    name: 'db',
    recordings: [
      testRecording({ phase: 'Refused', reason: 'InvalidRequest', message: 'the filter is wrong' }),
    ],
  }),
];

type SceneAnswers = Readonly<Record<string, object | number>>;

const metadata = {
  namespace: 'kube-system',
  name: 'podcap',
  labels: { 'app.kubernetes.io/version': '0.2.0' },
};
const healthy: SceneAnswers = {
  '/apis/podcap.dev/v1alpha1': { kind: 'APIResourceList' },
  '/apis/apiregistration.k8s.io/v1/apiservices/v1alpha1.podcap.dev': {
    status: { conditions: [{ type: 'Available', status: 'True' }] },
  },
  '/apis/apps/v1/deployments': {
    items: [{ metadata, spec: { replicas: 2 }, status: { readyReplicas: 2, updatedReplicas: 2 } }],
  },
  '/apis/apps/v1/daemonsets': {
    items: [{ metadata, status: { numberReady: 1, desiredNumberScheduled: 1, updatedNumberScheduled: 1 } }],
  },
  '/api/v1/nodes': { items: [{ metadata: { name: 'node-a' } }] },
  '/api/v1/pods': {
    items: [
      {
        metadata: { namespace: 'kube-system', name: 'podcap-x' },
        spec: { nodeName: 'node-a', containers: [{ image: 'podcap:1' }] },
        status: { conditions: [{ type: 'Ready', status: 'True' }] },
      },
    ],
  },
};

/** SceneAnswers by path: an object, or the status of a refusal. `rights`: what an access review says. */
function answering(answers: SceneAnswers, rights = true): (...given: Parameters<SceneHandler>) => boolean {
  return ({ path }, response) => {
    const [pathname = ''] = path.split('?');
    if (pathname.endsWith('/selfsubjectaccessreviews')) {
      sendObject(response, { status: { allowed: rights } }, 201);
      return true;
    }
    const answer = answers[pathname];
    if (answer === undefined) return false;
    if (typeof answer === 'object') sendObject(response, answer);
    else if (answer === 403)
      sendObject(response, { kind: 'Status', reason: 'Forbidden', code: 403, message: 'jane may not' }, 403);
    else if (pathname.startsWith('/api/v1/namespaces/'))
      sendObject(
        response,
        { kind: 'Status', reason: 'NotFound', code: 404, message: 'namespaces "gone" not found' },
        404,
      );
    else response.writeHead(answer, { 'content-type': 'text/plain' }).end('service unavailable');
    return true;
  };
}

async function checked(
  answers: SceneAnswers,
  { rights = true, args = [] }: { readonly rights?: boolean; readonly args?: readonly string[] } = {},
) {
  await using scene = await capturesScene(captures, { handler: answering(answers, rights) });
  const ran = scene.run(checkCommand, args);
  const code = await ran.code;
  const lines = ran.stdout().trimEnd().split('\n');
  return { code, lines, stderr: ran.stderr(), requests: scene.requests };
}

test('each line says ok, or what to do', async () => {
  const { code, lines, requests } = await checked(healthy);
  expect(lines.slice(3)).toEqual([
    'ok    API server      kubectl reaches it',
    "ok    clocks          this machine's clock agrees with the API server's",
    'ok    API             podcap.dev/v1alpha1 is available',
    'ok    hub             0.2.0: 2 of 2 replicas ready (kube-system/podcap)',
    'ok    agents          0.2.0: 1 of 1 Nodes ready (kube-system/podcap)',
    'ok    list            you may get, list, watch captures in namespace shop',
    'ok    save            you may download captures, get captures/log in namespace shop',
    'ok    live            you may tap captures, get captures/attach in namespace shop',
    'ok    start           you may patch pods in namespace shop',
    'ok    start --policy  you may create capturepolicies.policy.podcap.dev in namespace shop',
    'ok    kubectl delete  you may delete captures in namespace shop',
    'ok    captures        2 in namespace shop: 1 Capturing, 1 Refused; every agent has answered',
    'fix   captures        db: Refused (InvalidRequest): the filter is wrong',
  ]);
  expect(code).toBe(1);
  const reviews = requests.flatMap(({ body }) => (body === undefined ? [] : [body]));
  expect(reviews).toContainEqual(
    expect.objectContaining({
      spec: {
        resourceAttributes: {
          namespace: 'shop',
          verb: 'download',
          group: 'podcap.dev',
          resource: 'captures',
        },
      },
    }),
  );
});

test('the exit code is 0 if nothing is to fix', async () => {
  const running = { items: captures.slice(0, 1) };
  const path = '/apis/podcap.dev/v1alpha1/namespaces/default/captures';
  const { code, lines } = await checked({ ...healthy, [path]: running }, { args: ['-n', 'default'] });
  expect(lines.filter((line) => line.startsWith('fix'))).toEqual([]);
  expect(code).toBe(0);
});

test('a namespace that does not exist', async () => {
  const { code, lines } = await checked(
    { ...healthy, '/api/v1/namespaces/gone': 404 },
    { args: ['-n', 'gone'] },
  );
  expect(code).toBe(1);
  expect(lines.at(-1)).toBe('fix   captures        namespace gone does not exist');
});

test('a user who may not look at the installation reads so, line by line', async () => {
  const forbidden = Object.fromEntries(
    Object.keys(healthy).map((path) => [
      path,
      path.includes('podcap.dev/v1alpha1') ? (healthy[path] ?? 403) : 403,
    ]),
  );
  const { code, lines } = await checked(
    { ...forbidden, '/apis/podcap.dev/v1alpha1/captures': 403 },
    { rights: false, args: ['-A'] },
  );
  expect(code).toBe(1);
  expect(lines).toContain('note  hub             not known to you: jane may not');
  expect(lines).toContain('note  agents          not known to you: jane may not');
  expect(lines).toContain('note  captures        not known to you: jane may not');
  expect(lines.find((line) => line.includes(' save '))).toBe(
    'fix   save            you may not download captures, get captures/log in all namespaces: ask an administrator to bind ClusterRole podcap-download to you there',
  );
});

test.each([
  [
    404,
    /^fix {3}API {13}this cluster has no podcap[.]dev API: .* An administrator installs it with Podcap's chart[.]$/,
  ],
  [
    503,
    /^fix {3}API {13}Podcap's hub does not answer; .*kubectl describe apiservice v1alpha1[.]podcap[.]dev/,
  ],
])('without a hub (%i), the rest is checked all the same', async (status, line) => {
  const { code, lines } = await checked({ ...healthy, '/apis/podcap.dev/v1alpha1': status });
  expect(code).toBe(1);
  expect(lines[5]).toMatch(line);
  expect(lines.at(-1)).toContain('db: Refused');
});

test('a clock that is wrong', async () => {
  await using scene = await capturesScene(captures, {
    handler(request, response) {
      response.setHeader('date', 'Mon, 30 Nov 2020 12:00:00 GMT');
      return answering(healthy)(request, response);
    },
  });
  const ran = scene.run(checkCommand, []);
  expect(await ran.code).toBe(1);
  expect(ran.stdout()).toMatch(/^fix {3}clocks {10}this machine's clock is \d+ s ahead of the API server's/m);
});

test('a login that has expired', async () => {
  const { code, lines } = await checked({ '/apis/podcap.dev/v1alpha1': 401 });
  expect(code).toBe(1);
  expect(lines).toHaveLength(4);
  expect(lines[3]).toMatch(/^fix {3}API server {6}/);
});

test('an API server that cannot be reached', async () => {
  await using scene = await capturesScene(captures);
  const ran = scene.run(checkCommand, ['--server', 'https://127.0.0.1:1']);
  expect(await ran.code).toBe(1);
  const lines = ran.stdout().trimEnd().split('\n');
  expect(lines).toHaveLength(4);
  expect(lines[3]).toMatch(/^fix {3}API server {6}kubectl cannot reach the API server: .*refused/);
});

test('without kubectl, there is nothing else to check but Wireshark', async () => {
  await using folder = await temporaryFolder();
  const wireshark = join(folder.path, 'wireshark');
  await writeFile(
    wireshark,
    '#!/bin/sh\necho "Wireshark 4.0.17 (Git v4.0.17 packaged as 4.0.17-0+deb12u1)."\n',
  );
  await chmod(wireshark, 0o755);
  const { terminal, stdout } = cliTerminal({ env: { PATH: folder.path } });
  const kubectl = { program: 'kubectl', flags: [], namespace: undefined, env: terminal.env };
  const given = { positionals: [], flags: new Set<string>(), values: new Map<string, readonly string[]>() };
  const code = await checkCommand.run(given, { terminal, kubectl, signal: new AbortController().signal });
  expect(code).toBe(1);
  expect(stdout().trimEnd().split('\n').slice(1)).toEqual([
    'fix   kubectl         it does not run: install kubectl 1.23 or newer; see https://kubernetes.io/docs/tasks/tools/',
    `ok    Wireshark       4.0.17 (${wireshark})`,
  ]);
});
