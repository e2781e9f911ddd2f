import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, describe, expect } from 'vitest';
import { until } from '../src/base/until.ts';
import { run } from '../src/testbed/run-program.ts';
import { capturesPath } from './support/capture-requests.ts';
import { capturedPod } from './support/captured-pod.ts';
import { test as clusterTest } from './support/cluster-test.ts';
import { idle, type PodManifest } from './support/pod-manifests.ts';
import { kubectl, kubectlCommand } from './support/run-kubectl.ts';

/** What people do with kubectl and captures, with the real kubectl and through the real API server. */
const test = clusterTest.extend('web', { scope: 'file' }, async ({ cluster }) => {
  const pod = await capturedPod(cluster, 'web', { annotations: { 'podcap.dev/filter': 'udp or tcp' } });
  await kubectl('wait', ...ofPhase('Capturing'), '-n', cluster.namespace, 'capture/web', '--timeout=30s');
  return pod;
});

/** A captured Pod with a label. */
function backend(name: string): PodManifest {
  return idle({ name, node: 'node1', annotation: '2', labels: { tier: 'back' } });
}

function ofPhase(phase: string): string[] {
  return [`--for=jsonpath={.status.recordings[0].phase}=${phase}`];
}

/** The lines of a table, each as its cells. */
function rows(text: string): string[][] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/\s{2,}/));
}

const watches: Disposable[] = [];
afterEach(() => {
  for (const watch of watches.splice(0)) watch[Symbol.dispose]();
});

/** A kubectl that goes on; returns what it has printed so far. */
function running(...args: readonly string[]): () => string {
  const [program, ...all] = kubectlCommand(...args);
  const child = spawn(program, all, { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  for (const output of [child.stdout, child.stderr]) {
    output.setEncoding('utf8').on('data', (part: string) => (text += part));
  }
  watches.push({ [Symbol.dispose]: () => void child.kill('SIGKILL') });
  return () => text;
}

/** What kubectl says, and how it ends. */
async function failing(...args: readonly string[]): Promise<string> {
  const [program, ...all] = kubectlCommand(...args);
  const child = spawn(program, all, { stdio: ['ignore', 'ignore', 'pipe'] });
  let text = '';
  child.stderr.setEncoding('utf8').on('data', (part: string) => (text += part));
  const [code]: unknown[] = await once(child, 'close');
  expect(code).toBe(1);
  return text;
}

describe('kubectl get', () => {
  const plain = ['NAME', 'NODE', 'STATE', 'FILES', 'SIZE', 'PACKETS', 'DROPPED', 'SINCE', 'AGE'];

  test('prints the captures of a namespace', async ({ cluster, web }) => {
    const [head, row, ...others] = rows(await kubectl('get', 'captures', '-n', cluster.namespace));
    expect(head).toEqual(plain);
    expect(row).toEqual([
      'web',
      web.node,
      'Capturing',
      expect.stringMatching(/^\d+$/),
      expect.stringMatching(/^[\d.]+(Ki|Mi)?$/),
      expect.stringMatching(/^\d+$/),
      expect.stringMatching(/^\d+$/),
      expect.stringMatching(/^\d+[ms]/),
      expect.stringMatching(/^\d+[ms]/),
    ]);
    expect(others).toEqual([]);
  });

  test('prints more with -o wide, and namespaces with -A', async ({ cluster, web }) => {
    const [head, row] = rows(await kubectl('get', 'cap', '-o', 'wide', '-n', cluster.namespace));
    expect(head).toEqual([...plain, 'FROZEN', 'FILTER', 'UID']);
    expect(row?.slice(-3)).toEqual(['<none>', 'udp or tcp', web.uid]);
    const all = rows(await kubectl('get', 'captures', '-A'));
    expect(all[0]).toEqual(['NAMESPACE', ...plain]);
    expect(all.find(([namespace]) => namespace === cluster.namespace)?.[1]).toBe('web');
  });

  test('prints the object, by its short, singular and full name', async ({ cluster, web }) => {
    const { namespace } = cluster;
    for (const resource of ['capture', 'captures.podcap.dev', 'captures.v1alpha1.podcap.dev', 'cap']) {
      const yaml = await kubectl('get', resource, 'web', '-n', namespace, '-o', 'yaml');
      expect(yaml).toContain('apiVersion: podcap.dev/v1alpha1\nkind: Capture\n');
      expect(yaml).toContain(`uid: ${web.uid}`);
    }
    const jsonpath = '{.items[0].status.recordings[0].requested}';
    const requested = await kubectl('get', 'captures', '-n', namespace, '-o', `jsonpath=${jsonpath}`);
    expect(JSON.parse(requested)).toEqual({ files: 5, fileMegabytes: 1, filter: 'udp or tcp' });
  });

  test('sorts and selects', async ({ cluster }) => {
    const { namespace } = cluster;
    await cluster.start(backend('db'));
    await kubectl('wait', ...ofPhase('Capturing'), '-n', namespace, 'capture/db', '--timeout=60s');
    const names = async (...args: readonly string[]) =>
      rows(await kubectl('get', 'captures', '-n', namespace, '--no-headers', ...args)).map(([name]) => name);
    expect(await names('--sort-by=.metadata.name')).toEqual(['db', 'web']);
    expect(await names('--sort-by=.status.recordings[0].startTime')).toEqual(['web', 'db']);
    expect(await names('-l', 'tier=back')).toEqual(['db']);
    expect(await names('-l', 'tier notin (back),!other')).toEqual(['web']);
    expect(await names('--field-selector', 'metadata.name!=db')).toEqual(['web']);
    expect(await failing('get', 'captures', '-A', '--field-selector', 'status.phase=Ended')).toContain(
      'fieldSelector supports only metadata.name and metadata.namespace',
    );
  });

  test('-w prints what is there, then each change, until it is deleted', async ({ cluster, web: _web }) => {
    const { namespace } = cluster;
    const all = running('get', 'captures', '-n', namespace, '-w', '--output-watch-events');
    const one = running('get', 'capture', 'web', '-n', namespace, '-w');
    const everywhere = running('get', 'captures', '-A', '-w');
    for (const text of [all, one, everywhere]) {
      await until(() => /\bweb\b.*Capturing/.test(text()), { what: 'the first row', deadlineMs: 30_000 });
    }
    await cluster.start(backend('late'));
    await until(() => /ADDED +late/.test(all()), { what: 'the new row', deadlineMs: 30_000 });
    await until(() => /MODIFIED +late .*Capturing/.test(all()), { what: 'its change', deadlineMs: 30_000 });
    await cluster.annotate('late', null);
    await until(() => /DELETED +late/.test(all()), { what: 'its end', deadlineMs: 60_000 });
    await until(() => everywhere().includes(`${namespace}   late`), { what: 'the row of all namespaces' });
    expect(one()).not.toContain('late');
    expect(all().split('EVENT')).toHaveLength(2);
  });
});

test('kubectl describe prints the capture', async ({ cluster, web }) => {
  const text = await kubectl('describe', 'capture', 'web', '-n', cluster.namespace);
  expect(text).toMatch(/^Name: +web$/m);
  expect(text).toMatch(/^ +Phase: +Capturing$/m);
  expect(text).toContain(web.uid);
});

test('kubectl explain teaches the fields', async () => {
  expect(await kubectl('explain', 'captures')).toMatch(/KIND: +Capture\nVERSION: +v1alpha1/);
  const text = await kubectl('explain', 'captures.status.recordings');
  expect(text).toMatch(/bytes\t<integer> -required-\n +Size of these files, in bytes[.]/);
  expect(await kubectl('explain', 'cap.status.recordings.phase')).toContain('Refused: what was asked for');
  const all = await kubectl('explain', 'captures', '--recursive');
  expect(all).toContain('firstPacketTime\t<string>');
});

test('kubectl api-resources lists captures, without delete', async () => {
  const text = await kubectl('api-resources', '--api-group=podcap.dev', '-o', 'wide', '--no-headers');
  expect(rows(text)).toEqual([
    [
      'captures',
      'cap',
      'podcap.dev/v1alpha1',
      'true',
      'Capture',
      expect.stringMatching(/^get,list,watch *$/),
    ],
  ]);
});

test('kubectl completes the resource and its names', async ({ cluster, web: _web }) => {
  const [program, , kubeconfig = '', ...words] = kubectlCommand('__complete', 'get');
  const complete = async (...more: readonly string[]) =>
    (await run(['env', `KUBECONFIG=${kubeconfig}`, program, ...words, ...more])).split('\n');
  expect(await complete('capt')).toContain('captures.podcap.dev');
  expect(await complete('-n', cluster.namespace, 'captures', 'we')).toContain('web');
});

test('kubectl auth can-i knows the verbs', async ({ cluster: { namespace } }) => {
  const canI = async (verb: string, resource: string) =>
    (await kubectl('auth', 'can-i', verb, resource, '-n', namespace)).trim();
  for (const verb of ['get', 'list', 'watch', 'download', 'tap']) {
    expect(await canI(verb, 'captures.podcap.dev')).toBe('yes');
  }
  expect(await canI('get', 'captures.podcap.dev/log')).toBe('yes');
});

describe('what is not possible', () => {
  test('is said in words', async ({ cluster: { namespace }, web: _web }) => {
    const inNamespace = ['-n', namespace];
    expect(await failing('get', 'capture', 'nope', ...inNamespace)).toBe(
      'Error from server (NotFound): captures.podcap.dev "nope" not found\n',
    );
    expect(await failing('annotate', 'capture', 'web', 'a=b', ...inNamespace)).toMatch(
      /^Error from server \(MethodNotAllowed\): captures are not created or changed here: annotate the Pod/,
    );
    expect(await failing('delete', 'capture', 'web', ...inNamespace)).toMatch(
      /^Error from server \(Conflict\): Pod \S+ of \S+\/web is still to be captured \(Capturing\): remove its annotation/,
    );
    expect(await failing('get', '--raw', `${capturesPath(namespace)}/web/exec`)).toContain('NotFound');
    expect(await failing('delete', '--raw', capturesPath(namespace))).toContain('delete them by name');
  });
});

test('kubectl delete deletes what has ended', async ({ cluster }) => {
  const { namespace } = cluster;
  await capturedPod(cluster, 'ended');
  await cluster.delete('ended');
  await kubectl('wait', ...ofPhase('Ended'), '-n', namespace, 'capture/ended', '--timeout=60s');
  expect(await kubectl('delete', 'capture', 'ended', '-n', namespace, '--dry-run=server')).toContain(
    'dry run',
  );
  expect(await kubectl('get', 'capture', 'ended', '-n', namespace)).toContain('Ended');
  expect(await kubectl('delete', 'capture', 'ended', '-n', namespace)).toMatch(
    /^capture.podcap.dev "ended" deleted/,
  );
  expect(await failing('get', 'capture', 'ended', '-n', namespace)).toContain('"ended" not found');
});
