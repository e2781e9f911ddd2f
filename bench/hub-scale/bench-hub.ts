import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import * as v from 'valibot';
import { until } from '../../src/base/until.ts';
import { imageStart } from '../../src/testbed/image-entrypoint.ts';
import { freePort } from '../../src/testbed/loopback-port.ts';
import { temporaryFolder } from '../../src/testbed/temporary-folder.ts';
import { endWithin } from '../contenders/end-child.ts';
import { bundleProgram } from '../support/bundle.ts';
import type { HubApi } from './front-proxy.ts';
import { type HubApiServer, hubApiServer, hubObjects } from './hub-api-server.ts';
import type { HubLinkEndpoint } from './simulated-agent.ts';

/** A replica of the hub as the image starts it, beside an API server that knows simulated agents. */
export type BenchHub = AsyncDisposable & {
  readonly pid: number;
  /** Where agents connect. */
  readonly link: HubLinkEndpoint;
  /** Where the API server connects. */
  readonly api: HubApi;
};

const { namespace, name } = hubObjects;
const serverName = `${name}.${namespace}.svc`;
const killAfterMs = 30_000;

/** Bundles the hub, starts it, and waits until agents can connect. */
export async function startBenchHub({ agents }: { readonly agents: number }): Promise<BenchHub> {
  await using opening = new AsyncDisposableStack();
  const folder = opening.use(await temporaryFolder());
  const server = opening.use(await hubApiServer({ agents }));
  const program = join(folder.path, 'hub.cjs');
  await bundleProgram(join(import.meta.dirname, 'bench-hub-program.ts'), program);
  const ports = { api: await freePort(), link: await freePort() };
  const hub = opening.use(await startHub(program, server, ports));
  const ca = await until(() => server.authority(), { what: "the hub's authority", deadlineMs: 30_000 });
  const opened = opening.move();
  return {
    pid: hub.pid,
    link: { host: '127.0.0.1', port: ports.link, ca, serverName },
    api: { port: ports.api, ca, serverName, certificate: server.frontProxy },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

async function startHub(
  program: string,
  server: HubApiServer,
  ports: { readonly api: number; readonly link: number },
): Promise<AsyncDisposable & { readonly pid: number }> {
  const { flags, environment } = (await imageStart()).hub;
  const settings = {
    deployment: `${namespace}/${name}`,
    'daemon-set': `${namespace}/podcap`,
    'agent-account': `${namespace}/podcap`,
    'api-port': ports.api,
    'link-port': ports.link,
    'probe-port': await freePort(),
    'metrics-port': await freePort(),
    'log-level': 'warn',
  };
  const options = Object.entries(settings).map(([flag, value]) => `--${flag}=${value}`);
  const command = ['--pdeathsig', 'KILL', process.execPath, ...flags, program, ...options];
  const hub = spawn('setpriv', command, {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: {
      PATH: process.env['PATH'],
      ...environment,
      PODCAP_BENCH_SERVER: JSON.stringify(v.parse(startSchema, server.config)),
    },
  });
  const closed = once(hub, 'close');
  if (hub.pid === undefined) throw new Error('the hub cannot be started');
  return { pid: hub.pid, [Symbol.asyncDispose]: () => endWithin(hub, closed, killAfterMs) };
}

const startSchema = v.object({ server: v.pipe(v.instance(URL), v.transform(String)), ca: v.string() });
