import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { agentOn, agentProcess } from '../../end-to-end/support/agents.ts';
import { capturesPath } from '../../end-to-end/support/capture-requests.ts';
import { readyHubs } from '../../end-to-end/support/hub-pods.ts';
import { nodeProgram, processesOf } from '../../end-to-end/support/pod-processes.ts';
import { waitForLastDatagram } from '../../end-to-end/support/ring-contents.ts';
import { kubectlCommand } from '../../end-to-end/support/run-kubectl.ts';
import { sendingPod } from '../../end-to-end/support/sending-pod.ts';
import { testCluster } from '../../end-to-end/support/test-cluster.ts';
import { cpuMs } from '../contenders/process-usage.ts';
import type { Figure, Measurement, MeasureOptions, Row } from '../figure.ts';
import { constantCapture } from '../hub-streams/constant-agent.ts';
import { measureInRounds } from '../support/rounds.ts';
import { rowOf } from '../support/row.ts';
import { estimate, median } from '../support/statistics.ts';

/** How fast a recording is downloaded through the hub, beside `podcap read` by exec, and constant bytes on the same path. */
export const download: Figure = {
  name: 'download',
  unit: 'MB/s; ms of CPU where named',
  goal: 'through the hub at least as fast as by exec, and at least 70 % of constant bytes on the same path (medians of the ratios)',
  runs: 10,
  needs: 'cluster',
  measure,
};

const node = 'node1';
/** 100 MB in a ring that keeps them. */
const traffic = { rate: 5_000, bytes: 1_400, count: 70_000 };
const constantBytes = 100_000_000;
const minOfExec = 1;
const minOfConstant = 0.7;

type DownloadContender = {
  readonly name: 'hub' | 'exec' | 'constant bytes';
  /** The arguments of kubectl. */
  readonly command: readonly string[];
};

type DownloadRun = {
  readonly name: DownloadContender['name'];
  readonly rate: number;
  readonly hubMs: number;
  readonly agentMs: number;
};

async function measure(options: MeasureOptions): Promise<Measurement> {
  await using cluster = await testCluster();
  const { namespace } = cluster;
  const pod = await sendingPod(cluster, { name: 'large', node, files: 100, ...traffic });
  await using _receiver = pod.receiver;
  await waitForLastDatagram(pod.folder, traffic.count - 1);
  await using constant = await constantCapture({ namespace, node, bytes: constantBytes });
  const raw = (name: string) => ['get', '--raw', `${capturesPath(namespace)}/${name}/log`];
  const inAgent = ['-n', 'kube-system', 'exec', await agentOn(node), '--'];
  const { pid: agent } = await agentProcess(cluster, node);
  const steps: readonly DownloadContender[] = [
    { name: 'exec', command: [...inAgent, 'podcap', 'read', '--uid', pod.uid] },
    { name: 'hub', command: raw('large') },
    { name: 'constant bytes', command: raw(constant.name) },
  ];
  const hubs = (
    await Promise.all((await readyHubs()).map(({ uid }) => processesOf(uid, nodeProgram)))
  ).flat();
  const runs = await measureInRounds(options, {
    steps,
    measureStep: (step) => measureDownload(step, { hubs, agents: [agent, constant.pid] }),
    describe: ({ name, rate }) => `${name}: ${rate.toFixed(1)} MB/s`,
  });
  return measurementOf(runs);
}

async function measureDownload(
  { name, command }: DownloadContender,
  { hubs, agents }: { readonly hubs: readonly number[]; readonly agents: readonly number[] },
): Promise<DownloadRun> {
  const [hubBefore, agentBefore] = [await cpuMs(hubs), await cpuMs(agents)];
  const { bytes, seconds } = await runToEnd(command);
  if (bytes < constantBytes) throw new Error(`${name}: only ${bytes} bytes`);
  return {
    name,
    rate: bytes / 1e6 / seconds,
    hubMs: (((await cpuMs(hubs)) - hubBefore) * 100e6) / bytes,
    agentMs: (((await cpuMs(agents)) - agentBefore) * 100e6) / bytes,
  };
}

async function runToEnd(args: readonly string[]): Promise<{ bytes: number; seconds: number }> {
  const [program, ...all] = kubectlCommand(...args);
  const startMs = performance.now();
  const child = spawn(program, all, { stdio: ['ignore', 'pipe', 'inherit'] });
  let bytes = 0;
  child.stdout.on('data', (chunk: Buffer) => (bytes += chunk.length));
  const [code]: (number | null)[] = await once(child, 'close');
  if (code !== 0) throw new Error(`kubectl ended with ${code}`);
  return { bytes, seconds: (performance.now() - startMs) / 1_000 };
}

function measurementOf(runs: readonly DownloadRun[]): Measurement {
  const of = (name: DownloadContender['name']) => runs.filter((run) => run.name === name);
  const ratios = (to: DownloadContender['name']) =>
    of('hub').map(({ rate }, round) => rate / (of(to)[round]?.rate ?? Number.NaN));
  const rates = (name: DownloadContender['name']) => of(name).map(({ rate }) => rate);
  const hub = (to: 'exec' | 'constant bytes'): Row => ({
    ...rowOf('hub', `MB/s, beside ${to}`, rates('hub')),
    ratio: { ...estimate(ratios(to)), to },
  });
  // What `podcap read` takes in its own process, by exec, is not counted.
  const cpu = (what: 'hubMs' | 'agentMs', parameter: string): Row[] =>
    (['hub', 'constant bytes'] as const).map((name) =>
      rowOf(
        name,
        parameter,
        of(name).map((run) => run[what]),
      ),
    );
  return {
    isReached: median(ratios('exec')) >= minOfExec && median(ratios('constant bytes')) >= minOfConstant,
    rows: [
      hub('exec'),
      hub('constant bytes'),
      rowOf('exec', 'MB/s', rates('exec')),
      rowOf('constant bytes', 'MB/s', rates('constant bytes')),
      ...cpu('hubMs', 'ms of CPU of the hub for 100 MB'),
      ...cpu('agentMs', 'ms of CPU of the agent for 100 MB'),
    ],
  };
}
