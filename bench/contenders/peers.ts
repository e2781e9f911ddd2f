import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { BridgeTestbed, TestbedPod } from '../../src/testbed/bridge-testbed.ts';
import type { Argv } from '../../src/testbed/run-program.ts';
import { temporaryFolder } from '../../src/testbed/temporary-folder.ts';
import { until } from '../../src/testbed/until.ts';
import {
  type Contender,
  type ContenderCaptures,
  type ContenderName,
  type ContenderOptions,
  type Count,
  ringFiles,
} from './contender.ts';
import { endWithin } from './end-child.ts';

/** What people would use instead, as real programs. */
export function peers(testbed: BridgeTestbed): readonly Contender[] {
  return [hostTcpdump(testbed), tcpdumpRing, dumpcap].map(contenderOf);
}

const killAfterMs = 30_000;

type Peer = {
  readonly variant: ContenderName;
  readonly command: (pod: TestbedPod, file: string, wish: ContenderOptions) => Argv;
  /** What it says when it captures. */
  readonly listening: string;
  /** From what it says at its end; undefined when it did not say it. */
  readonly count: (said: string) => Count | undefined;
};

/** -Z: or tcpdump gives up its rights before it opens the file, which would have to be another user's. */
const tcpdumpOptions = (file: string, wish: ContenderOptions) => {
  return ['-n', '-Z', 'root', '-C', '1', '-W', String(ringFiles), '-w', file, ...snaplenOption(wish)];
};

const snaplenOption = ({ snaplen }: ContenderOptions) =>
  snaplen === undefined ? [] : ['-s', String(snaplen)];

const hostTcpdump = (testbed: BridgeTestbed): Peer => ({
  variant: 'host-tcpdump',
  command: (pod, file, wish) =>
    testbed.inHost(['tcpdump', '-i', 'any', ...tcpdumpOptions(file, wish), 'host', pod.address]),
  listening: 'listening on ',
  count: tcpdumpCount,
});

const tcpdumpRing: Peer = {
  variant: 'tcpdump-ring',
  command: (pod, file, wish) => pod.command(['tcpdump', '-p', '-i', 'eth0', ...tcpdumpOptions(file, wish)]),
  listening: 'listening on ',
  count: tcpdumpCount,
};

function tcpdumpCount(said: string): Count | undefined {
  const captured = /^(\d+) packets? captured$/m.exec(said)?.[1];
  const received = /^(\d+) packets? received by filter$/m.exec(said)?.[1];
  if (captured === undefined || received === undefined) return undefined;
  return { captured: Number(captured), received: Number(received) };
}

const dumpcap: Peer = {
  variant: 'dumpcap',
  command(pod, file, wish) {
    const ring = ['-b', 'filesize:1000', '-b', `files:${ringFiles}`, '-w', file];
    return pod.command(['dumpcap', '-q', '-p', '-i', 'eth0', ...ring, ...snaplenOption(wish)]);
  },
  listening: 'File: ',
  count(said) {
    const captured = /^Packets captured: (\d+)$/m.exec(said)?.[1];
    const dropped = /^Packets received\/dropped on interface '.*': \d+\/(\d+) /m.exec(said)?.[1];
    if (captured === undefined || dropped === undefined) return undefined;
    return { captured: Number(captured), received: Number(captured) + Number(dropped) };
  },
};

function contenderOf(peer: Peer): Contender {
  return {
    variant: peer.variant,
    start: (pods, wish = {}) => startAll(peer, pods, wish),
    // Each capture is ended by whoever started it, and dies with this process.
    async [Symbol.asyncDispose]() {},
  };
}

async function startAll(
  peer: Peer,
  pods: readonly TestbedPod[],
  wish: ContenderOptions,
): Promise<ContenderCaptures> {
  const folder = await temporaryFolder();
  const running = pods.map((pod) =>
    startOne(peer, peer.command(pod, join(folder.path, `${pod.name}.pcap`), wish)),
  );
  await Promise.all(running.map(({ listening }) => listening));
  return {
    processes: async () => running.map(({ pid }) => pid),
    async stop() {
      try {
        return await Promise.all(running.map((one) => one.stop()));
      } finally {
        await folder[Symbol.asyncDispose]();
      }
    },
  };
}

function startOne({ variant, listening, count }: Peer, [program, ...args]: Argv) {
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const closed = once(child, 'close');
  const { pid } = child;
  if (pid === undefined) throw new Error(`${variant} cannot be started`);
  return {
    pid,
    listening: until(() => said.includes(listening), { what: `${variant} listening`, deadlineMs: 30_000 }),
    async stop(): Promise<Count> {
      await endWithin(child, closed, killAfterMs);
      const counted = count(said);
      if (!counted) throw new Error(`${variant} ended and said: ${said}`);
      return counted;
    },
  };
}
