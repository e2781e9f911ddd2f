import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { agentOn } from '../../end-to-end/support/agents.ts';
import { podcapEnvironment } from '../../end-to-end/support/podcap-cli.ts';
import { waitForLastDatagram } from '../../end-to-end/support/ring-contents.ts';
import { kubectlCommand } from '../../end-to-end/support/run-kubectl.ts';
import { sendingPod } from '../../end-to-end/support/sending-pod.ts';
import { type TestCluster, testCluster } from '../../end-to-end/support/test-cluster.ts';
import { semaphore } from '../../src/base/semaphore.ts';
import { capinfos } from '../../src/pcap/testing/capinfos.ts';
import type { Argv } from '../../src/testbed/run-program.ts';
import { temporaryFolder } from '../../src/testbed/temporary-folder.ts';
import { buildCli } from '../../tools/build-cli.ts';
import type { Figure, Measurement, MeasureOptions } from '../figure.ts';
import { measureInRounds } from '../support/rounds.ts';
import { rowOf } from '../support/row.ts';
import { estimate, median } from '../support/statistics.ts';

/** How long it takes to save the recordings of many Pods as one file, beside exec and mergecap. */
export const save: Figure = {
  name: 'save',
  unit: 's',
  goal: '20 Pods of 10 MB in no longer than exec and mergecap',
  runs: 10,
  needs: 'cluster',
  measure,
};

const podsPerNode = 10;
/** 10 MB, in a ring that keeps them. */
const traffic = { rate: 3_000, bytes: 1_400, count: 7_000 };
const nodeNames = ['node1', 'node2'] as const;

type SaveContender = 'kubectl podcap save' | 'exec + mergecap';
type SaveRun = { readonly name: SaveContender; readonly seconds: number };
type RecordedPod = { readonly name: string; readonly uid: string; readonly agent: string };

async function measure(options: MeasureOptions): Promise<Measurement> {
  await using cluster = await testCluster();
  await using folder = await temporaryFolder();
  await buildCli(folder.path);
  const pods = await recordedPods(cluster);
  const savers: Readonly<Record<SaveContender, (to: string) => Promise<void>>> = {
    'kubectl podcap save': (to) =>
      runToEnd([
        process.execPath,
        join(folder.path, 'cli/kubectl-podcap.cjs'),
        '-n',
        cluster.namespace,
        'save',
        ...pods.map(({ name }) => name),
        '--to',
        to,
      ]),
    'exec + mergecap': (to) => execAndMergecap(pods, folder.path, to),
  };
  const runs = await measureInRounds(options, {
    steps: ['kubectl podcap save', 'exec + mergecap'] as const,
    async measureStep(name): Promise<SaveRun> {
      const to = join(folder.path, 'all.pcapng');
      const startMs = performance.now();
      await savers[name](to);
      const seconds = (performance.now() - startMs) / 1_000;
      const [found] = await capinfos([to]);
      if ((found?.packets ?? 0) < pods.length * traffic.count)
        throw new Error(`${name}: packets are missing`);
      await rm(to);
      return { name, seconds };
    },
    describe: ({ name, seconds }) => `${name}: ${seconds.toFixed(2)} s`,
  });
  return measurementOf(runs);
}

async function recordedPods(cluster: TestCluster): Promise<readonly RecordedPod[]> {
  const pods: RecordedPod[] = [];
  for (const node of nodeNames) {
    const agent = await agentOn(node);
    // One after the other: together, they would send more than this machine captures.
    for (let at = 0; at < podsPerNode; at += 1) {
      const name = `web-${node}-${at}`;
      const pod = await sendingPod(cluster, { name, node, ...traffic });
      await using _receiver = pod.receiver;
      await waitForLastDatagram(pod.folder, traffic.count - 1);
      pods.push({ name, uid: pod.uid, agent });
    }
  }
  return pods;
}

/** Four at a time, as `xargs -P 4` does it: of ten in one agent, some fail, as each takes memory of its container. */
async function execAndMergecap(pods: readonly RecordedPod[], folder: string, to: string): Promise<void> {
  const inTurn = semaphore(4);
  const { signal } = new AbortController();
  const files = await Promise.all(
    pods.map(async ({ name, uid, agent }) => {
      const file = join(folder, `${name}.pcapng`);
      const read = ['-n', 'kube-system', 'exec', agent, '--', 'podcap', 'read', '--uid', uid];
      await inTurn(() => runToEnd(kubectlCommand(...read), file), signal);
      return file;
    }),
  );
  await runToEnd(['mergecap', '-w', to, ...files]);
  await Promise.all(files.map((file) => rm(file)));
}

async function runToEnd([program, ...args]: Argv, to?: string): Promise<void> {
  const child = spawn(program, args, { env: podcapEnvironment, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const closed = once(child, 'close');
  if (to === undefined) child.stdout.resume();
  else await pipeline(child.stdout, createWriteStream(to));
  const [code]: (number | null)[] = await closed;
  if (code !== 0) throw new Error(`${program} ended with ${code}: ${said}`);
}

function measurementOf(runs: readonly SaveRun[]): Measurement {
  const of = (name: SaveContender) => runs.filter((run) => run.name === name).map(({ seconds }) => seconds);
  const [ours, theirs] = [of('kubectl podcap save'), of('exec + mergecap')];
  const ratios = ours.map((seconds, round) => seconds / (theirs[round] ?? Number.NaN));
  const parameter = `${2 * podsPerNode} Pods of 10 MB`;
  return {
    isReached: median(ratios) <= 1,
    rows: [
      {
        ...rowOf('kubectl podcap save', parameter, ours),
        ratio: { ...estimate(ratios), to: 'exec + mergecap' },
      },
      rowOf('exec + mergecap', parameter, theirs),
    ],
  };
}
