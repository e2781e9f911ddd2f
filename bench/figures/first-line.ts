import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { hostReceiver } from '../../end-to-end/support/host-receiver.ts';
import { sender } from '../../end-to-end/support/pod-manifests.ts';
import { podcapEnvironment } from '../../end-to-end/support/podcap-cli.ts';
import { kubectlCommand } from '../../end-to-end/support/run-kubectl.ts';
import { type TestCluster, testCluster } from '../../end-to-end/support/test-cluster.ts';
import type { Argv } from '../../src/testbed/run-program.ts';
import { temporaryFolder } from '../../src/testbed/temporary-folder.ts';
import { buildCli } from '../../tools/build-cli.ts';
import type { Figure, Measurement, MeasureOptions } from '../figure.ts';
import { measureInRounds } from '../support/rounds.ts';
import { rowOf } from '../support/row.ts';
import { estimate, median } from '../support/statistics.ts';

/** How long it takes until the first packet of a Pod is on the screen, beside `kubectl debug` with tcpdump. */
export const firstLine: Figure = {
  name: 'first-line',
  unit: 'ms',
  goal: 'half the time of kubectl debug with tcpdump',
  runs: 10,
  needs: 'cluster',
  measure,
};

const node = 'node1';
/** The next packet is 10 ms away at most. */
const rate = 100;
const maxShareOfDebug = 0.5;

type LineContender = 'kubectl podcap live' | 'kubectl debug';
type LineRun = { readonly name: LineContender; readonly ms: number };

async function measure(options: MeasureOptions): Promise<Measurement> {
  await using cluster = await testCluster();
  await using receiver = await hostReceiver();
  await using folder = await temporaryFolder();
  await buildCli(folder.path);
  const program = join(folder.path, 'cli/kubectl-podcap.cjs');
  let rounds = 0;
  const runs = await measureInRounds(options, {
    steps: ['kubectl podcap live', 'kubectl debug'] as const,
    async measureStep(name): Promise<LineRun> {
      rounds += 1;
      // Of a new Pod: the containers of kubectl debug stay in theirs.
      const pod = `sender-${rounds}`;
      const { address: to, port } = receiver;
      await cluster.start(sender({ name: pod, node, to, port, rate, bytes: 200 }));
      const ms = await firstLineMs(
        name === 'kubectl debug'
          ? debugCommand(cluster, pod)
          : [process.execPath, program, '-n', cluster.namespace, 'live', pod],
      );
      await cluster.delete(pod, '--grace-period=0', '--force');
      return { name, ms };
    },
    describe: ({ name, ms }) => `${name}: ${ms.toFixed(0)} ms`,
  });
  return measurementOf(runs);
}

function debugCommand({ namespace }: TestCluster, pod: string): Argv {
  const image = ['--image=podcap:latest', '--image-pull-policy=IfNotPresent', '--profile=netadmin'];
  const tcpdump = ['tcpdump', '-i', 'eth0', '-n', '-l', '--immediate-mode'];
  return kubectlCommand('-n', namespace, 'debug', pod, '--quiet', '--attach', ...image, '--', ...tcpdump);
}

/** From the start of the program to its first line with a packet. */
async function firstLineMs([program, ...args]: Argv): Promise<number> {
  const startMs = performance.now();
  const child = spawn(program, args, { env: podcapEnvironment, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(child, 'close');
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  try {
    let printed = '';
    for await (const chunk of child.stdout.setEncoding('utf8')) {
      printed += String(chunk);
      if (packetLine.test(printed)) return performance.now() - startMs;
    }
    throw new Error(`${program} ended without a packet: ${said}`);
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
}

/** Both begin with the time of day. */
const packetLine = /^\d\d:\d\d:\d\d\.\d{6} .*\n/m;

function measurementOf(runs: readonly LineRun[]): Measurement {
  const of = (name: LineContender) => runs.filter((run) => run.name === name).map(({ ms }) => ms);
  const [ours, theirs] = [of('kubectl podcap live'), of('kubectl debug')];
  const ratios = ours.map((ms, round) => ms / (theirs[round] ?? Number.NaN));
  const parameter = 'start to the first line';
  return {
    isReached: median(ratios) <= maxShareOfDebug,
    rows: [
      {
        ...rowOf('kubectl podcap live', parameter, ours),
        ratio: { ...estimate(ratios), to: 'kubectl debug' },
      },
      rowOf('kubectl debug', parameter, theirs),
    ],
  };
}
