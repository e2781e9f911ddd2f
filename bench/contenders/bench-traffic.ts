import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TestbedPod } from '../../src/testbed/bridge-testbed.ts';
import { startSender } from '../../src/testbed/datagrams.ts';
import { startPump, startSink } from '../../src/testbed/tcp-stream.ts';

/** What a Pod sends while it is captured. */
export type Load = {
  readonly name: string;
  /** Packets a second; without it as many as it can. */
  readonly rate?: number;
  /** Sends for so long. */
  readonly send: (route: Route, ms: number) => Promise<void>;
};

export type Route = {
  readonly from: TestbedPod;
  readonly to: TestbedPod;
  /** The host drops what goes there. */
  readonly sink: string;
};

/** Ethernet, IPv4 and UDP. */
const headerBytes = 14 + 20 + 8;

/** Datagrams to nobody, in frames of so many bytes. */
export function datagrams(name: string, { frameBytes, rate }: { frameBytes: number; rate: number }): Load {
  return {
    name,
    rate,
    async send({ from, sink }, ms) {
      const bytes = frameBytes - headerBytes;
      await using sender = await startSender(from.command, { to: sink, rate, bytes });
      await sleep(ms);
      await sender.stop();
    },
  };
}

/** One TCP stream to the other Pod, as fast as it goes. */
export const stream: Load = {
  name: 'TCP max',
  async send({ from, to }, ms) {
    await using sink = await startSink(to.command, 'tcp');
    await using pump = await startPump(from.command, to.address);
    await sleep(ms);
    await pump.stop();
    await sink.stop();
  },
};

/** In packets a second: 1 and 2 Gb/s of 1,400 bytes. */
const gigabit = 1e9 / 8 / 1_400;

export const loads = {
  small: datagrams('64 B 100 kpps', { frameBytes: 64, rate: 100_000 }),
  oneGigabit: datagrams('1 Gb/s', { frameBytes: 1_400, rate: Math.round(gigabit) }),
  twoGigabits: datagrams('2 Gb/s', { frameBytes: 1_400, rate: Math.round(2 * gigabit) }),
  stream,
} as const;

/** What a Pod's eth0 carried meanwhile, in packets. */
export async function carriedDuring(pod: TestbedPod, work: () => Promise<void>): Promise<number> {
  const before = await pod.counters();
  await work();
  const after = await pod.counters();
  return after.sentPackets + after.receivedPackets - before.sentPackets - before.receivedPackets;
}

export type Protocol = 'udp' | 'tcp';

/** How much two Pods get through between them: datagrams or bits a second, as the receiver's kernel counts them. */
export async function throughput(
  protocol: Protocol,
  { from, to }: Omit<Route, 'sink'>,
  ms: number,
): Promise<number> {
  await using sink = await startSink(to.command, protocol);
  await using _sending = await startSending(protocol, from, to);
  // TCP's window grows, the bridge learns.
  await sleep(500);
  const begin = await received(protocol, sink.pid);
  await sleep(ms);
  const end = await received(protocol, sink.pid);
  return ((end.amount - begin.amount) / (end.atMs - begin.atMs)) * 1_000;
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

/** From proc_pid_net(5) snmp and netstat: a line of names, and one of numbers. */
export function netCounter(table: string, group: string, name: string): number {
  const [names = [], numbers = []] = table
    .split('\n')
    .filter((line) => line.startsWith(`${group}: `))
    .map((line) => line.split(' '));
  const value = numbers[names.indexOf(name)];
  if (value === undefined) throw new Error(`no ${group} ${name} in:\n${table}`);
  return Number(value);
}
