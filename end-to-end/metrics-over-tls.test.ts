import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { expect } from 'vitest';
import { authority } from '../src/kubernetes/testing/certificate.ts';
import { chartRelease } from './support/chart-release.ts';
import { test } from './support/cluster-test.ts';
import { kubectlCommand } from './support/run-kubectl.ts';

test('with metricsTls, serves the metrics to clients with a certificate, and on no other port', async ({
  cluster,
}) => {
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
  await using release = chartRelease(cluster, 'secure-podcap');
  const values = ['metricsTls.secretName=podcap-metrics', 'networkPolicy.enabled=true'];
  await release.install('--set', [...values, 'admission.allowedValues.enabled=false'].join(','));

  const agent = ['--namespace', cluster.namespace, `daemonset/${release.name}`];
  await using secure = await forward(agent, 9781);
  expect(await metricsAt(secure.port, { ca: ca.cert, ...client })).toMatch(/^200 # HELP podcap_/);
  expect(await metricsAt(secure.port, { ca: ca.cert })).toMatch(/^refused/);
  await using probes = await forward(agent, 9780);
  expect((await fetch(`http://127.0.0.1:${probes.port}/readyz`)).status).toBe(200);
  expect((await fetch(`http://127.0.0.1:${probes.port}/metrics`)).status).toBe(404);
});

/** Forwards a free port of this machine to a port of one of the Pods that `selection` names, until it is disposed of. */
async function forward(
  selection: readonly string[],
  podPort: number,
): Promise<AsyncDisposable & { readonly port: number }> {
  const [program, ...args] = kubectlCommand('port-forward', ...selection, `:${podPort}`);
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

/** Status and body of /metrics, or `refused` and the error. */
async function metricsAt(
  port: number,
  identity: { ca: string; cert?: string; key?: string },
): Promise<string> {
  const req = request({ host: '127.0.0.1', port, path: '/metrics', agent: false, ...identity });
  req.end();
  try {
    const [response]: IncomingMessage[] = await once(req, 'response');
    return response ? `${response.statusCode} ${await text(response)}` : 'no response';
  } catch (error) {
    return `refused: ${String(error)}`;
  }
}
