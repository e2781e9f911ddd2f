import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { folderName } from '../../src/agent/storage/file-names.ts';
import { until } from '../../src/base/until.ts';
import { type ApiServer, apiServer, list } from '../../src/kubernetes/testing/api-server.ts';
import { podObject } from '../../src/kubernetes/testing/pod-object.ts';
import type { BridgeTestbed, TestbedPod } from '../../src/testbed/bridge-testbed.ts';
import { compileNative } from '../../src/testbed/compile.ts';
import { imageStart } from '../../src/testbed/image-entrypoint.ts';
import { freePort } from '../../src/testbed/loopback-port.ts';
import { type TemporaryFolder, temporaryFolder } from '../../src/testbed/temporary-folder.ts';
import { writeCniEntry } from '../../src/testbed/write-cni-entry.ts';
import { type AgentLog, readLog } from '../support/agent-log.ts';
import { bundleProgram } from '../support/bundle.ts';
import { endWithin } from './end-child.ts';

/** A Node for the agent without Kubernetes: real networks, and an API server whose Pods the bench annotates. */
export type AgentHost = AsyncDisposable & {
  /** Starts the agent as the image does; it finds the Pods with the annotations that they have. */
  readonly startAgent: () => Promise<BenchAgent>;
  /** Replaces the annotations of these Pods. */
  readonly annotate: (pods: readonly TestbedPod[], annotations: Annotations) => void;
  /** The folder of that Pod's captures. */
  readonly folderOf: (pod: TestbedPod) => string;
};

export type Annotations = Readonly<Record<string, string>>;

export type BenchAgent = AsyncDisposable & {
  readonly pid: number;
  /** Milliseconds of the epoch. */
  readonly startedMs: number;
  readonly log: AgentLog;
  /** Resolves when /readyz answers with 200; throws after 30 s. */
  readonly ready: () => Promise<void>;
  /** Ends the agent as the kubelet does, with SIGTERM; the agent flushes its captures. */
  readonly stop: () => Promise<void>;
};

/** The UID that the API server gives to that Pod. */
export const uidOf = ({ name }: TestbedPod) => `uid-${name}`;

/** The client gives up a watch that is silent for two minutes. */
const bookmarkEveryMs = 30_000;
/** The agent flushes up to a hundred captures first. */
const killAfterMs = 30_000;

/** Writes the CNI cache, bundles the agent and starts the API server; starts no agent. */
export async function agentHost({ pods }: BridgeTestbed): Promise<AgentHost> {
  await using opening = new AsyncDisposableStack();
  const folder = async () => opening.use(await temporaryFolder());
  const captures = await folder();
  const cniResults = await folder();
  const bundle = await folder();
  const server = opening.use(await apiServer());
  const program = await bundleAgent(bundle);
  for (const pod of pods)
    await writeCniEntry({
      folder: cniResults.path,
      podUid: uidOf(pod),
      podName: pod.name,
      sandboxId: `sandbox-${pod.name}`,
      netns: pod.netns,
    });
  const objects = podObjects(server, pods);
  opening.defer(() => objects.stop());
  const settings = {
    'node-name': 'node1',
    'captures-folder': captures.path,
    'cni-results-folder': cniResults.path,
    'netns-folder': dirname(pods[0]?.netns ?? ''),
    'native-folder': await compileNative(),
    'min-free-disk-percent': '0',
  };

  const opened = opening.move();
  return {
    async startAgent() {
      server.script.list.push(objects.listed());
      const [probePort, metricsPort] = await Promise.all([freePort(), freePort()]);
      const ports = { 'probe-port': String(probePort), 'metrics-port': String(metricsPort) };
      return await startAgent({ program, settings: { ...settings, ...ports }, server, probePort });
    },
    annotate: (changed, annotations) => objects.annotate(changed, annotations),
    folderOf: (pod) =>
      join(captures.path, folderName({ namespace: 'default', pod: pod.name, uid: uidOf(pod) })),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** Bundles as the Dockerfile does. Returns the path of the bundle. */
export async function bundleAgent(folder: TemporaryFolder): Promise<string> {
  const outfile = join(folder.path, 'agent.cjs');
  await bundleProgram(join(import.meta.dirname, 'bench-agent-program.ts'), outfile);
  return outfile;
}

/** The Pods as the API server lists them, and the watch events of their changes. */
function podObjects(server: ApiServer, pods: readonly TestbedPod[]) {
  let version = 1;
  const objectOf = ({ name }: TestbedPod, annotations: Annotations) =>
    podObject(name, String(version), annotations);
  const current = new Map(pods.map((pod) => [pod.name, objectOf(pod, {})]));
  const send = (event: object) => {
    const watch = server.watches.at(-1);
    // While no agent runs there is no watch: the next agent lists.
    if (watch?.isClosed() === false) watch.send(event);
  };
  const bookmarks = setInterval(() => {
    send({ type: 'BOOKMARK', object: { kind: 'Pod', metadata: { resourceVersion: String(version) } } });
  }, bookmarkEveryMs);
  return {
    annotate(changed: readonly TestbedPod[], annotations: Annotations) {
      for (const pod of changed) {
        version += 1;
        const object = objectOf(pod, annotations);
        current.set(pod.name, object);
        // The agent reads the Pod before it deletes captures.
        server.objects.set(`/api/v1/namespaces/default/pods/${pod.name}`, object);
        send({ type: 'MODIFIED', object });
      }
    },
    listed: () => list(String(version), [...current.values()]),
    stop: () => clearInterval(bookmarks),
  };
}

export type AgentStartOptions = {
  readonly program: string;
  readonly settings: Readonly<Record<string, string>>;
  readonly server: ApiServer;
  readonly probePort: number;
};

/** Starts the agent as the image does. */
export async function startAgent({
  program,
  settings,
  server,
  probePort,
}: AgentStartOptions): Promise<BenchAgent> {
  const { flags, environment } = await imageStart();
  const watchesBefore = server.watches.length;
  const options = Object.entries(settings).map(([name, value]) => `--${name}=${value}`);
  const command = ['--pdeathsig', 'KILL', process.execPath, ...flags, program, ...options];
  const startedMs = Date.now();
  const agent = spawn('setpriv', command, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      PATH: process.env['PATH'],
      ...environment,
      PODCAP_BENCH_SERVER: JSON.stringify({ server: server.config.server, ca: server.config.ca }),
    },
  });
  const closed = once(agent, 'close');
  const log = readLog(agent.stdout, 'the agent');
  const { pid } = agent;
  if (pid === undefined) throw new Error('the agent cannot be started');
  const deadline = { deadlineMs: 30_000 };
  return {
    pid,
    startedMs,
    log,
    async ready() {
      await until(() => server.watches.length > watchesBefore, { what: 'a watch', ...deadline });
      await until(() => isReady(probePort), { what: 'the agent to be ready', ...deadline });
    },
    stop: () => endWithin(agent, closed, killAfterMs),
    async [Symbol.asyncDispose]() {
      await endWithin(agent, closed, killAfterMs);
      await log[Symbol.asyncDispose]();
    },
  };
}

async function isReady(port: number): Promise<boolean> {
  const response = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined);
  await response?.arrayBuffer();
  return response?.ok === true;
}
