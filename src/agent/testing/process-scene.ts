import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';
import { type ApiServer, apiServer, list, type WatchStream } from '../../kubernetes/testing/api-server.ts';
import { compileNative } from '../../testbed/compile.ts';
import { imageStart } from '../../testbed/image-entrypoint.ts';
import { freePort } from '../../testbed/loopback-port.ts';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { type VethTestbed, vethTestbed } from '../../testbed/veth-testbed.ts';
import { settingsText } from './settings-text.ts';

/** The agent in a child process (measured-agent-program.ts), on a Node with networks that no Pod has yet. */
export type ProcessScene = AsyncDisposable & {
  readonly testbeds: readonly VethTestbed[];
  readonly captures: string;
  readonly cache: string;
  readonly server: ApiServer;
  readonly agent: ChildProcess;
  /** The agent's watch of Pods, after a list without Pods. */
  readonly watch: WatchStream;
  readonly probePort: number;
  readonly metricsPort: number;
};

/** Bundles and starts the agent as the image does. */
export async function processScene(networks: number): Promise<ProcessScene> {
  const testbeds = await Promise.all(Array.from({ length: networks }, () => vethTestbed()));
  const captures = await temporaryFolder();
  const cache = await temporaryFolder();
  const bundle = await temporaryFolder();
  const server = await apiServer();
  server.script.list.push(list('1', []));
  const program = join(bundle.path, 'agent.cjs');
  await build({
    entryPoints: [join(import.meta.dirname, 'measured-agent-program.ts')],
    outfile: program,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'cjs',
    supported: { using: true },
  });
  const [probePort, metricsPort] = await Promise.all([freePort(), freePort()]);
  const settings = {
    ...settingsText,
    capturesFolder: captures.path,
    cniResultsFolder: cache.path,
    netnsFolder: dirname(testbeds[0]?.netns ?? ''),
    nativeFolder: await compileNative(),
    probePort: String(probePort),
    metricsPort: String(metricsPort),
  };
  const start = JSON.stringify({ server: server.config.server, ca: server.config.ca, settings });
  const { flags, environment } = await imageStart();
  const agent = fork(program, [start], {
    execArgv: [...flags],
    env: { ...process.env, ...environment },
    stdio: 'inherit',
  });
  return {
    testbeds,
    captures: captures.path,
    cache: cache.path,
    server,
    agent,
    watch: await server.nextWatch(),
    probePort,
    metricsPort,
    async [Symbol.asyncDispose]() {
      agent.disconnect();
      await once(agent, 'exit');
      for (const each of [server, bundle, cache, captures, ...testbeds]) await each[Symbol.asyncDispose]();
    },
  };
}
