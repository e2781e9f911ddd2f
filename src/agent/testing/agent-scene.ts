import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pino } from 'pino';
import { bootClock } from '../../base/clock.ts';
import { until } from '../../base/until.ts';
import { kubernetesClient } from '../../kubernetes/client.ts';
import { type ApiServer, apiServer } from '../../kubernetes/testing/api-server.ts';
import { captureFile, type TestPacket } from '../../pcap/testing/capture-files.ts';
import { compileNative } from '../../testbed/compile.ts';
import { freePort } from '../../testbed/loopback-port.ts';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { vethTestbed } from '../../testbed/veth-testbed.ts';
import { writeCniEntry } from '../../testbed/write-cni-entry.ts';
import { runAgent } from '../agent.ts';
import type { Settings } from '../settings.ts';

export type AgentSceneOptions = {
  /** The folder of captures; a temporary one by default. */
  readonly captures?: string;
  /** Overrides the defaults here, under which nothing is refused for capacity. */
  readonly settings?: Partial<Settings>;
};

/** The agent on a Node with one Pod network, that of the Pod "web". The API server is a stand-in. */
export async function agentScene(options: AgentSceneOptions = {}) {
  const testbed = await vethTestbed();
  const captures = await temporaryFolder();
  const root = options.captures ?? captures.path;
  const cache = await temporaryFolder();
  const server = await apiServer();
  const nativeFolder = await compileNative();
  await writeCniEntry({ folder: cache.path, podUid: 'uid-web', sandboxId: 'sandbox1', netns: testbed.netns });
  const scene = { server, captures: root, cache: cache.path, netns: testbed.netns, nativeFolder };
  return {
    ...scene,
    testbed,
    start: (retentionSeconds = 3_600, settings: Partial<Settings> = {}) =>
      startAgent({ ...scene, settings: { retentionSeconds, ...options.settings, ...settings } }),
    /** The Events as `<reason>: <message>`, in the order in which they were written. */
    events: () =>
      server.requests.flatMap(({ path, body }) => (path.endsWith('/events') ? [eventTextOf(body)] : [])),
    eventReasons: () =>
      server.requests.flatMap(({ path, body }) => (path.endsWith('/events') ? [reasonOf(body)] : [])),
    /** The Events so far, each as `<name of the Pod> <reason>`. */
    podEvents: () =>
      server.requests.flatMap(({ path, body }) =>
        path.endsWith('/events') ? [`${podOf(body)} ${reasonOf(body)}`] : [],
      ),
    /** Makes a folder of captures, as an earlier agent left it. */
    /** A file of an earlier agent; without packets unless some are given. */
    async leaveCaptures(name: string, packets: readonly TestPacket[] = []) {
      await mkdir(join(root, name));
      const content = packets.length === 0 ? '' : captureFile(packets);
      await writeFile(join(root, name, 'captres-web.1.pcap000000000'), content);
    },
    tcpdumps: () => testbed.processes(),
    async [Symbol.asyncDispose]() {
      for (const each of [server, cache, captures, testbed]) await each[Symbol.asyncDispose]();
    },
  };
}

async function startAgent(scene: {
  server: ApiServer;
  captures: string;
  cache: string;
  netns: string;
  nativeFolder: string;
  settings: Partial<Settings>;
}) {
  const [probePort, metricsPort] = await Promise.all([freePort(), freePort()]);
  const stopping = new AbortController();
  const client = kubernetesClient(scene.server.config);
  const running = runAgent({
    settings: {
      nodeName: 'node1',
      agentName: 'podcap-1',
      daemonSet: undefined,
      capturesFolder: scene.captures,
      cniResultsFolder: scene.cache,
      netnsFolder: dirname(scene.netns),
      nativeFolder: scene.nativeFolder,
      maxFiles: 100,
      maxFileMegabytes: 100,
      maxCaptures: 100,
      diskBudgetMegabytes: 1_000,
      bufferBudgetMegabytes: 1_000,
      maxTaps: 16,
      minFreeDiskPercent: 0,
      retentionSeconds: 3_600,
      maxFrozenRings: 3,
      podMetrics: true,
      bufferKib: 4_096,
      captureUser: 10_001,
      probePort,
      metricsPort,
      metricsTlsFolder: undefined,
      cniResyncSeconds: 5,
      logLevel: 'error',
      hub: undefined,
      hubTokenFile: '/nowhere/token',
      ...scene.settings,
    },
    version: '1.2.3',
    clock: await bootClock(),
    client,
    log: pino({ level: 'silent' }),
    signal: stopping.signal,
    die(why) {
      throw new Error(why);
    },
  });
  const ask = async (path: string) => {
    const port = path === '/metrics' ? metricsPort : probePort;
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    return `${response.status} ${await response.text()}`;
  };
  await until(async () => (await ask('/healthz').catch(() => undefined)) !== undefined, {
    what: 'the agent to answer',
  });
  async function stop(): Promise<void> {
    stopping.abort();
    await running;
    await client[Symbol.asyncDispose]();
  }
  return { ask, stop, [Symbol.asyncDispose]: stop };
}

function reasonOf(body: unknown): string {
  return body instanceof Object && 'reason' in body ? String(body.reason) : '';
}

function eventTextOf(body: unknown): string {
  const message = body instanceof Object && 'message' in body ? String(body.message) : '';
  return `${reasonOf(body)}: ${message}`;
}

function podOf(body: unknown): string {
  const involved = body instanceof Object && 'involvedObject' in body ? body.involvedObject : undefined;
  return involved instanceof Object && 'name' in involved ? String(involved.name) : '';
}
