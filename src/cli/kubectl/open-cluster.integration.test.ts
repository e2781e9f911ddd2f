import { existsSync } from 'node:fs';
import { chmod, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { beforeAll, expect, test } from 'vitest';
import { built } from '../../../tools/go-program.ts';
import { happens, until } from '../../base/until.ts';
import { acceptedPaths } from '../api/api-paths.ts';
import type { ClusterAnswer } from '../api/cluster.ts';
import { isCut } from '../api/is-cut.ts';
import { UnreachableServer } from '../api/unreachable-server.ts';
import { CommandFailure } from '../cli-command.ts';
import { openCluster } from './open-cluster.ts';
import { kubectlScene, type SceneHandler, sendObject } from './testing/kubectl-scene.ts';
import { areNoneWith, proxyWith, socketOf } from './testing/scene-processes.ts';

// The first run builds kubectl, which takes minutes.
beforeAll(() => built('kubectl'), 1_200_000);

const pods = '/api/v1/pods';
const { signal } = new AbortController();
const sendPods: SceneHandler = (_, response) => sendObject(response, { kind: 'PodList' });

async function bodyOf(answer: Promise<ClusterAnswer>): Promise<string> {
  return await text((await answer).body);
}

test('a request reaches the API server with the login of the kubeconfig, and its answer comes back', async () => {
  await using scene = await kubectlScene(
    (_, response) => {
      response.setHeader('warning', ['299 - "podcap: no answer from \\"node2\\""', '299 - "old"']);
      sendObject(response, { kind: 'PodList' });
    },
    { namespace: 'shop' },
  );
  await using cluster = await openCluster(scene.kubectl, [pods], signal);
  expect(cluster.namespace).toBe('shop');
  const answer = await cluster.request({ path: `${pods}?labelSelector=app%3Dweb`, signal });
  expect(answer).toMatchObject({
    status: 200,
    contentType: 'application/json',
    warnings: ['podcap: no answer from "node2"', 'old'],
  });
  expect(await text(answer.body)).toBe('{"kind":"PodList"}');
  expect(scene.requests).toMatchObject([
    { method: 'GET', path: `${pods}?labelSelector=app%3Dweb`, headers: { authorization: 'Bearer secret' } },
  ]);
});

test('a body is sent as JSON, with the content type that its method has', async () => {
  await using scene = await kubectlScene(sendPods);
  await using cluster = await openCluster(scene.kubectl, [pods], signal, ['POST', 'PATCH']);
  for (const method of ['POST', 'PATCH'] as const) {
    await bodyOf(cluster.request({ method, path: pods, body: { a: 'ä' }, signal }));
  }
  expect(scene.requests).toMatchObject([
    { method: 'POST', body: { a: 'ä' }, headers: { 'content-type': 'application/json' } },
    { method: 'PATCH', body: { a: 'ä' }, headers: { 'content-type': 'application/merge-patch+json' } },
  ]);
});

test('the global flags of kubectl decide who asks which server, and in which namespace', async () => {
  await using scene = await kubectlScene(sendPods, { namespace: 'shop' });
  const flags = ['--as=jane', '--as-group=a', '--as-group=b', '--as-uid=7', '--token=other'];
  await using cluster = await openCluster({ ...scene.kubectl, flags, namespace: 'given' }, [pods], signal);
  expect(cluster.namespace).toBe('given');
  await bodyOf(cluster.request({ path: pods, signal }));
  expect(scene.requests[0]?.headers).toMatchObject({
    authorization: 'Bearer other',
    'impersonate-user': 'jane',
    'impersonate-group': 'a, b',
    'impersonate-uid': '7',
  });
});

test('a server behind a path, as Rancher has it, gets its path', async () => {
  await using scene = await kubectlScene(sendPods, { serverPath: '/k8s/clusters/c-1' });
  await using cluster = await openCluster(scene.kubectl, [pods], signal);
  await bodyOf(cluster.request({ path: pods, signal }));
  expect(scene.requests[0]?.path).toBe(`/k8s/clusters/c-1${pods}`);
});

test('only this user reaches the socket, and nothing but what the command needs passes', async () => {
  await using scene = await kubectlScene(sendPods);
  const kubectl = { ...scene.kubectl, flags: [`--kubeconfig=${scene.kubectl.env['KUBECONFIG']}`] };
  await using cluster = await openCluster(kubectl, [pods], signal);
  const socket = socketOf(await proxyWith(scene.folder));
  expect((await stat(dirname(socket))).mode & 0o777).toBe(0o700);
  for (const request of [
    { path: '/api/v1/secrets' },
    { path: `${pods}/web` },
    { path: `/x${pods}` },
    { path: pods, method: 'DELETE' },
  ] as const) {
    await expect(cluster.request({ ...request, signal })).rejects.toThrow(
      /did not ask kubectl proxy to accept/,
    );
  }
  expect(scene.requests).toEqual([]);
});

test('a Pod named exec in a namespace named pods is read, and nothing is executed in it', async () => {
  await using scene = await kubectlScene(sendPods);
  await using cluster = await openCluster(scene.kubectl, [acceptedPaths.pods], signal);
  const path = '/api/v1/namespaces/pods/pods/exec-1';
  expect(await bodyOf(cluster.request({ path, signal }))).toBe('{"kind":"PodList"}');
  for (const verb of ['exec', 'attach']) {
    const request = cluster.request({ path: `${path}/${verb}`, signal });
    await expect(request).rejects.toThrow(/did not ask kubectl proxy to accept/);
  }
});

test('without a context, the namespace is default, or that of the Pod', async () => {
  await using scene = await kubectlScene(sendPods);
  await using cluster = await openCluster(scene.kubectl, [pods], signal);
  expect(cluster.namespace).toBe('default');
  const env = { ...scene.kubectl.env, KUBECONFIG: '/none', POD_NAMESPACE: 'of-the-pod' };
  await using inPod = await openCluster(
    { ...scene.kubectl, env, flags: ['--server=http://127.0.0.1:1'] },
    [pods],
    signal,
  );
  expect(inPod.namespace).toBe('of-the-pod');
});

test('a server that cannot be reached is reported in the words of kubectl', async () => {
  await using scene = await kubectlScene(sendPods);
  const flags = ['--server=http://127.0.0.1:1'];
  await using cluster = await openCluster({ ...scene.kubectl, flags }, [pods], signal);
  const request = cluster.request({ path: pods, signal });
  await expect(request).rejects.toThrow(UnreachableServer);
  await expect(request).rejects.toThrow(
    'kubectl cannot reach the API server: dial tcp 127.0.0.1:1: connect: connection refused',
  );
});

test('a wrong context is reported by kubectl, and the command does not start', async () => {
  await using scene = await kubectlScene(sendPods);
  const opening = openCluster({ ...scene.kubectl, flags: ['--context=none'] }, [pods], signal);
  await expect(opening).rejects.toThrow(CommandFailure);
  await expect(opening).rejects.toThrow('kubectl proxy did not start: it ended with exit code 1');
});

test('a kubectl that is missing is reported with the version that is needed', async () => {
  const kubectl = { program: 'kubectl', flags: [], namespace: undefined, env: { PATH: '/none::/usr/none' } };
  await expect(openCluster(kubectl, [pods], signal)).rejects.toThrow(
    'kubectl was not found in PATH: kubectl podcap reaches the cluster through kubectl 1.23 or newer; see https://kubernetes.io/docs/tasks/tools/',
  );
  await expect(openCluster({ ...kubectl, program: '/none/kubectl' }, [pods], signal)).rejects.toThrow(
    '/none/kubectl cannot be run: ',
  );
});

test('a kubectl that is too old is reported with its version and the one that is needed', async () => {
  await using scene = await kubectlScene(sendPods);
  const program = join(scene.folder, 'kubectl');
  // What kubectl 1.22 does with a flag that it does not know.
  const script = `#!/bin/sh
    case $1 in
      version) echo '{"clientVersion":{"gitVersion":"v1.22.17"}}' ;;
      proxy) exit 1 ;;
    esac`;
  await writeFile(program, script);
  await chmod(program, 0o755);
  await expect(openCluster({ ...scene.kubectl, program }, [pods], signal)).rejects.toThrow(
    `${program} is v1.22.17, and kubectl podcap needs kubectl 1.23 or newer`,
  );
});

test('an answer that is cut ends with an error', async () => {
  await using scene = await kubectlScene((_, response) => {
    response.writeHead(200, { 'content-type': 'text/x' });
    response.write('half');
  });
  await using cluster = await openCluster(scene.kubectl, [pods], signal);
  const { body } = await cluster.request({ path: pods, signal });
  const reading = body.toArray().catch((error: unknown) => error);
  await until(() => body.readableFlowing === true || scene.requests.length > 0, { what: 'the request' });
  scene.cutAll();
  expect(isCut(await reading)).toBe(true);
});

test('an aborted signal ends a request and the reading of an answer with its reason', async () => {
  await using scene = await kubectlScene(({ path }, response) => {
    if (path.endsWith('silent')) return;
    response.writeHead(200, { 'content-type': 'text/x' });
    response.write('half');
  });
  await using cluster = await openCluster(scene.kubectl, [pods], signal);
  const abort = new AbortController();
  const reason = new Error('Ctrl-C');
  const { body } = await cluster.request({ path: pods, signal: abort.signal });
  const reading = body.toArray();
  const silent = cluster.request({ path: `${pods}?silent`, signal: abort.signal });
  await until(() => scene.requests.length === 2, { what: 'both requests' });
  abort.abort(reason);
  await expect(silent).rejects.toBe(reason);
  await expect(reading).rejects.toBe(reason);
  await expect(cluster.request({ path: pods, signal: abort.signal })).rejects.toBe(reason);
});

test('with --request-timeout, a server that does not answer is given up', async () => {
  await using scene = await kubectlScene(({ path }, response) => {
    if (!path.endsWith('silent')) sendObject(response, {});
  });
  const flags = ['--request-timeout=50ms'];
  await using cluster = await openCluster({ ...scene.kubectl, flags }, [pods], signal);
  await bodyOf(cluster.request({ path: pods, signal }));
  await expect(cluster.request({ path: `${pods}?silent`, signal })).rejects.toThrow(
    'kubectl cannot reach the API server: it has not answered within the --request-timeout of 0.05 s',
  );
});

test('a signal that aborts while kubectl starts ends it', async () => {
  await using scene = await kubectlScene(sendPods);
  const abort = new AbortController();
  const opening = openCluster(scene.kubectl, [pods], abort.signal);
  abort.abort(new Error('Ctrl-C'));
  await expect(opening).rejects.toThrow('Ctrl-C');
});

test('a signal that aborts once the proxy runs, but not its namespace is known, ends both', async () => {
  await using scene = await kubectlScene(sendPods);
  const program = join(scene.folder, 'kubectl');
  const script = `#!/bin/sh
    case $1 in
      config) exec tail -f /dev/null ;;
      *) exec ${scene.kubectl.program} "$@" ;;
    esac`;
  await writeFile(program, script);
  await chmod(program, 0o755);
  const mark = `--kubeconfig=${scene.kubectl.env['KUBECONFIG']}`;
  const abort = new AbortController();
  const opening = openCluster({ ...scene.kubectl, program, flags: [mark] }, [pods], abort.signal);
  const socket = socketOf(await proxyWith(mark));
  await until(() => existsSync(socket), { what: 'the proxy to listen' });
  // By then, it is known to listen.
  expect(await happens(() => !existsSync(socket), { withinMs: 300 })).toBe(false);
  abort.abort(new Error('Ctrl-C'));
  await expect(opening).rejects.toThrow('Ctrl-C');
  expect(await areNoneWith(mark)).toBe(true);
});
