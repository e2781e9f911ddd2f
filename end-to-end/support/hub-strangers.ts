import { join } from 'node:path';
import * as v from 'valibot';
import { type LinkWelcome, linkAudience, linkWelcomeSchema } from '../../src/link/protocol.ts';
import { startChild } from '../../src/testbed/child-program.ts';
import { waitForHubs } from './hub-pods.ts';
import { inNetworkOf } from './network-partition.ts';
import { nodeProcess } from './pod-processes.ts';
import { kubectl } from './run-kubectl.ts';

const namespace = 'kube-system';
const serverName = `podcap-hub.${namespace}.svc`;

/** How a hub answers somebody who connects from that Node and says that this is an agent's token. */
export async function welcomeOf(token: string, from: 'node1' | 'node2' = 'node1'): Promise<LinkWelcome> {
  const [hub] = await waitForHubs(2);
  const host = await hubAddress(hub?.name ?? '');
  const ca = await kubectl(
    '-n',
    namespace,
    'get',
    'configmap',
    'podcap-hub-ca',
    '-o',
    'jsonpath={.data.ca\\.crt}',
  );
  const options = JSON.stringify({ host, port: 10_251, ca, serverName, token });
  const program = join(import.meta.dirname, 'link-stranger-program.ts');
  return v.parse(linkWelcomeSchema, JSON.parse(await inNetworkOf(from, process.execPath, program, options)));
}

/** Holds that many idle and slow connections to a port of each replica, from node1, until it is disposed of. */
export async function holdConnections(port: number, connections: number): Promise<AsyncDisposable> {
  await using opening = new AsyncDisposableStack();
  const program = join(import.meta.dirname, 'idle-connections-program.ts');
  for (const { name } of await waitForHubs(2)) {
    const options = JSON.stringify({ host: await hubAddress(name), port, connections });
    const network = `--net=/proc/${nodeProcess('node1')}/ns/net`;
    const child = startChild(['nsenter', network, '--', process.execPath, program, options], () => {});
    opening.use(child);
    await child.ready;
  }
  return opening.move();
}

async function hubAddress(name: string): Promise<string> {
  return await kubectl('-n', namespace, 'get', 'pod', name, '-o', 'jsonpath={.status.podIP}');
}

export type TokenOptions = {
  readonly namespace?: string;
  readonly account: string;
  readonly audience?: string;
  /** The object that the token is bound to, as Kind/name. */
  readonly boundTo?: string;
};

/** A token that the API server makes for whoever may ask for it. */
export async function tokenFor({
  namespace: of = namespace,
  account,
  audience = linkAudience,
  boundTo,
}: TokenOptions): Promise<string> {
  const [kind = '', name = ''] = boundTo?.split('/') ?? [];
  const binding = boundTo === undefined ? [] : [`--bound-object-kind=${kind}`, `--bound-object-name=${name}`];
  const made = await kubectl('-n', of, 'create', 'token', account, `--audience=${audience}`, ...binding);
  return made.trim();
}

/** The HTTP status and body of a request that a Node sends to the API port of a hub itself, past the API server. */
export async function askHubDirectly(
  path: string,
  ...curlOptions: readonly string[]
): Promise<{ readonly status: number; readonly body: string }> {
  const [hub] = await waitForHubs(2);
  const host = await hubAddress(hub?.name ?? '');
  const url = `https://${host}:10250${path}`;
  // -k: who asks is of interest here, not who answers.
  const common = ['-sk', '--path-as-is', '--max-time', '10', '-w', '\n%{http_code}'];
  const output = await inNetworkOf('node1', 'curl', ...common, ...curlOptions, url);
  const at = output.lastIndexOf('\n');
  return { status: Number(output.slice(at + 1)), body: output.slice(0, at) };
}
