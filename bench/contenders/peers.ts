import { join } from 'node:path';
import type { BridgeTestbed, TestbedPod } from '../../src/testbed/bridge-testbed.ts';
import type { Argv } from '../../src/testbed/run-program.ts';
import { temporaryFolder } from '../../src/testbed/temporary-folder.ts';
import { keepRoot, startCaptureProgram } from './capture-program.ts';
import {
  type Contender,
  type ContenderCaptures,
  type ContenderName,
  type ContenderOptions,
  type PacketCounts,
  ringFileCount,
} from './contender.ts';

/** The contenders that people use without Podcap: the real programs. */
export function peers(testbed: BridgeTestbed): readonly Contender[] {
  return [hostTcpdump(testbed), tcpdumpRing, dumpcap].map(contenderOf);
}

type Peer = {
  readonly name: ContenderName;
  readonly command: (pod: TestbedPod, file: string, options: ContenderOptions) => Argv;
  /** What it prints on stderr once it captures. */
  readonly listening: string;
  /** The counts in what it printed on stderr; undefined if they are missing. */
  readonly parseCounts: (stderr: string) => PacketCounts | undefined;
};

function contenderOf(peer: Peer): Contender {
  return {
    name: peer.name,
    start: (pods, options = {}) => startAll(peer, pods, options),
    // Each capture is ended by the figure that started it, and dies with this process.
    async [Symbol.asyncDispose]() {},
  };
}

async function startAll(
  peer: Peer,
  pods: readonly TestbedPod[],
  options: ContenderOptions,
): Promise<ContenderCaptures> {
  const { name, listening } = peer;
  const folder = await temporaryFolder();
  const programs = await Promise.all(
    pods.map((pod) => {
      const argv = peer.command(pod, join(folder.path, `${pod.name}.pcap`), options);
      return startCaptureProgram({ name, argv, listening });
    }),
  );
  return {
    processes: async () => programs.map(({ pid }) => pid),
    async stop() {
      try {
        return await Promise.all(programs.map(async (program) => countsOf(peer, await program.stop())));
      } finally {
        await folder[Symbol.asyncDispose]();
      }
    },
  };
}

function countsOf({ name, parseCounts }: Peer, stderr: string): PacketCounts {
  const counts = parseCounts(stderr);
  if (!counts) throw new Error(`${name} ended without its counts, and printed: ${stderr}`);
  return counts;
}

const hostTcpdump = (testbed: BridgeTestbed): Peer => ({
  name: 'host-tcpdump',
  command: (pod, file, options) =>
    testbed.inHost(['tcpdump', '-i', 'any', ...tcpdumpOptions(file, options), 'host', pod.address]),
  listening: 'listening on ',
  parseCounts: tcpdumpCounts,
});

const tcpdumpRing: Peer = {
  name: 'tcpdump-ring',
  command: (pod, file, options) =>
    pod.command(['tcpdump', '-p', '-i', 'eth0', ...tcpdumpOptions(file, options)]),
  listening: 'listening on ',
  parseCounts: tcpdumpCounts,
};

const dumpcap: Peer = {
  name: 'dumpcap',
  command(pod, file, options) {
    const ring = ['-b', 'filesize:1000', '-b', `files:${ringFileCount}`, '-w', file];
    return pod.command(['dumpcap', '-q', '-p', '-i', 'eth0', ...ring, ...snaplenOption(options)]);
  },
  listening: 'File: ',
  parseCounts(stderr) {
    const captured = /^Packets captured: (\d+)$/m.exec(stderr)?.[1];
    const dropped = /^Packets received\/dropped on interface '.*': \d+\/(\d+) /m.exec(stderr)?.[1];
    if (captured === undefined || dropped === undefined) return undefined;
    return { captured: Number(captured), received: Number(captured) + Number(dropped) };
  },
};

function tcpdumpOptions(file: string, options: ContenderOptions): string[] {
  return ['-n', ...keepRoot, '-C', '1', '-W', String(ringFileCount), '-w', file, ...snaplenOption(options)];
}

function snaplenOption({ snaplen }: ContenderOptions): string[] {
  return snaplen === undefined ? [] : ['-s', String(snaplen)];
}

function tcpdumpCounts(stderr: string): PacketCounts | undefined {
  const captured = /^(\d+) packets? captured$/m.exec(stderr)?.[1];
  const received = /^(\d+) packets? received by filter$/m.exec(stderr)?.[1];
  if (captured === undefined || received === undefined) return undefined;
  return { captured: Number(captured), received: Number(received) };
}
