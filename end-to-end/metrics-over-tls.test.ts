import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { nodes } from '../cluster/layout.ts';
import { authority } from '../src/kubernetes/testing/certificate.ts';
import { built } from '../tools/go-program.ts';
import { output } from '../tools/shell.ts';
import { checkout, ours } from '../tools/target.ts';
import { capturesRoot, kubectlCommand, type TestCluster, testCluster } from './support/test-cluster.ts';

const release = 'secure-podcap';
/** Beside the agents that the other tests look at: it captures no Pod, and its folder on the Nodes is another one. */
const harmless =
  'image.repository=podcap,image.tag=latest,extraArgs={--node-name=none},admission.allowedValues.enabled=false';

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await testCluster();
});
afterAll(async () => {
  await helm('uninstall', release, '--ignore-not-found');
  await cluster[Symbol.asyncDispose]();
  await Promise.all(nodes.map(({ name }) => rm(folderOn(name), { recursive: true, force: true })));
});

test('a release with metricsTls tells its metrics to who has a certificate, and on no other port', async () => {
  const ca = await authority('metrics');
  const [server, client] = await Promise.all([ca.sign('server'), ca.sign('client')]);
  await cluster.client.create({
    path: `/api/v1/namespaces/${cluster.namespace}/secrets`,
    body: {
      metadata: { name: 'podcap-metrics' },
      type: 'kubernetes.io/tls',
      stringData: { 'tls.crt': server.cert, 'tls.key': server.key, 'ca.crt': ca.cert },
    },
  });
  const values = `${harmless},metricsTls.secretName=podcap-metrics,networkPolicy.enabled=true,hostPaths.captures=/var/lib/podcap-${cluster.namespace}`;
  await helm(
    'install',
    release,
    join(checkout, 'deploy/chart'),
    '--set',
    values,
    '--wait',
    '--timeout',
    '90s',
  );

  await using secure = await forward('9781');
  expect(await ask(secure.port, { ca: ca.cert, ...client })).toMatch(/^200 # HELP podcap_/);
  expect(await ask(secure.port, { ca: ca.cert })).toMatch(/^refused/);
  await using plain = await forward('9780');
  expect((await fetch(`http://127.0.0.1:${plain.port}/readyz`)).status).toBe(200);
  expect((await fetch(`http://127.0.0.1:${plain.port}/metrics`)).status).toBe(404);
});

/** Makes a port of one of the agents one of this machine. */
async function forward(port: string): Promise<AsyncDisposable & { readonly port: number }> {
  const [program, ...args] = kubectlCommand(
    ...inNamespace('port-forward', `daemonset/${release}`, `:${port}`),
  );
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const [line]: string[] = await once(createInterface(child.stdout), 'line');
  return {
    port: Number(/127\.0\.0\.1:(\d+)/.exec(line ?? '')?.[1]),
    async [Symbol.asyncDispose]() {
      child.kill();
      await exited;
    },
  };
}

async function ask(port: number, identity: { ca: string; cert?: string; key?: string }): Promise<string> {
  const asked = request({ host: '127.0.0.1', port, path: '/metrics', agent: false, ...identity });
  asked.end();
  try {
    const [response]: IncomingMessage[] = await once(asked, 'response');
    return response ? `${response.statusCode} ${await text(response)}` : 'no response';
  } catch (error) {
    return `refused: ${String(error)}`;
  }
}

function inNamespace(...args: readonly string[]): string[] {
  return ['--namespace', cluster.namespace, ...args];
}

async function helm(...args: readonly string[]): Promise<void> {
  await output(await built('helm'), ['--kubeconfig', ours.kubeconfig, ...inNamespace(...args)]);
}

function folderOn(node: string): string {
  return join(dirname(capturesRoot(node)), `podcap-${cluster.namespace}`);
}
