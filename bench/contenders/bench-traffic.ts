import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TestbedPod } from '../../src/testbed/bridge-testbed.ts';
import { startSender } from '../../src/testbed/datagrams.ts';
import { startPump, startSink } from '../../src/testbed/tcp-stream.ts';

/** What a Pod sends while it is captured. */
export type Load = {
  readonly name: string;
  /** Packets per second; as many as the sender can if undefined. */
  readonly rate?: number;
  /** Resolves when the sender has sent for that long and has ended. */
  readonly send: (route: Route, durationMs: number) => Promise<void>;
};

export type Route = {
  readonly from: TestbedPod;
  readonly to: TestbedPod;
  /** An address whose packets the host drops. */
  readonly sink: string;
};

/** Ethernet, IPv4 and UDP. */
const headerBytes = 14 + 20 + 8;

/** Datagrams to the sink, at a fixed rate. */
export function datagrams(name: string, { frameBytes, rate }: { frameBytes: number; rate: number }): Load {
  return {
    name,
    rate,
    async send({ from, sink }, durationMs) {
      const bytes = frameBytes - headerBytes;
      await using sender = await startSender(from.command, { to: sink, rate, bytes });
      await sleep(durationMs);
      await sender.stop();
    },
  };
}

/** One TCP stream to the other Pod, as fast as it can. */
export const stream: Load = {
  name: 'TCP max',
  async send({ from, to }, durationMs) {
    await using sink = await startSink(to.command, 'tcp');
    await using pump = await startPump(from.command, to.address);
    await sleep(durationMs);
    await pump.stop();
    await sink.stop();
  },
};

/** Packets per second of 1,400 bytes. */
const gigabit = 1e9 / 8 / 1_400;

/** The loads of the figures that send while they capture. */
export const loads = {
  small: datagrams('64 B 100 kpps', { frameBytes: 64, rate: 100_000 }),
  oneGigabit: datagrams('1 Gb/s', { frameBytes: 1_400, rate: Math.round(gigabit) }),
  twoGigabits: datagrams('2 Gb/s', { frameBytes: 1_400, rate: Math.round(2 * gigabit) }),
  stream,
} as const;

/** How many packets the Pod's eth0 counts, in both directions, during this work. */
export async function interfacePacketsDuring(pod: TestbedPod, work: () => Promise<void>): Promise<number> {
  const before = await pod.counters();
  await work();
  const after = await pod.counters();
  return after.sentPackets + after.receivedPackets - before.sentPackets - before.receivedPackets;
}

export type Protocol = 'udp' | 'tcp';

/** Throughput from one Pod to another, in datagrams/s or bit/s, as the receiver's kernel counts it. */
export async function throughput(
  protocol: Protocol,
  { from, to }: Omit<Route, 'sink'>,
  durationMs: number,
): Promise<number> {
  await using sink = await startSink(to.command, protocol);
  await using _sending = await startSending(protocol, from, to);
  // TCP's window grows, and the bridge learns the addresses.
  await sleep(500);
  const before = await received(protocol, sink.pid);
  await sleep(durationMs);
  const after = await received(protocol, sink.pid);
  return ((after.amount - before.amount) / (after.atMs - before.atMs)) * 1_000;
}

async function startSending(protocol: Protocol, from: TestbedPod, to: TestbedPod) {
  return protocol === 'udp'
    ? await startSender(from.command, { to: to.address, rate: 0, bytes: 64 })
    : await startPump(from.command, to.address);
}

async function received(protocol: Protocol, pid: number | undefined) {
  const file = protocol === 'udp' ? 'snmp' : 'netstat';
  const table = await readFile(`/proc/${pid}/net/${file}`, 'utf8');
  const atMs = performance.now();
  const amount =
    protocol === 'udp' ? netCounter(table, 'Udp', 'InDatagrams') : 8 * netCounter(table, 'IpExt', 'InOctets');
  return { amount, atMs };
}

/** From proc_pid_net(5) snmp and netstat: each group has a line of names and one of numbers. */
function netCounter(table: string, group: string, name: string): number {
  const [names = [], numbers = []] = table
    .split('\n')
    .filter((line) => line.startsWith(`${group}: `))
    .map((line) => line.split(' '));
  const value = numbers[names.indexOf(name)];
  if (value === undefined) throw new Error(`no ${group} ${name} in:\n${table}`);
  return Number(value);
}
