import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { kubectlCommand } from '../../end-to-end/support/run-kubectl.ts';
import { openCaptureStream } from '../../src/pcap/read/capture-reader.ts';

/** A live capture by kubectl, read from its standard output. */
export type LiveRun = {
  /** From the start of kubectl to its first packet. */
  readonly firstPacketMs: number;
  /** Of each packet, from its time in the capture to its arrival; the clock is the same. */
  readonly delaysMs: readonly number[];
};

/** Runs kubectl until that many packets have arrived, and kills it. Its standard input has an empty line. */
export async function liveRun(args: readonly string[], packets: number): Promise<LiveRun> {
  const [program, ...all] = kubectlCommand(...args);
  const startMs = Date.now();
  const child = spawn(program, all, { stdio: ['pipe', 'pipe', 'ignore'] });
  child.stdin.write('\n');
  const ended = once(child, 'close');
  try {
    return await readPackets(child.stdout, startMs, packets);
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
}

async function readPackets(stdout: Readable, startMs: number, packets: number): Promise<LiveRun> {
  const opened = await openCaptureStream(stdout, { name: 'live' });
  if (opened.kind !== 'capture') throw new Error(opened.message);
  await using reader = opened.reader;
  let firstPacketMs: number | undefined;
  const delaysMs: number[] = [];
  while (delaysMs.length < packets) {
    if (!(await reader.next())) throw new Error(`the capture ended after ${delaysMs.length} packets`);
    const arrivedMs = performance.timeOrigin + performance.now();
    const { seconds, nanoseconds } = reader.packet;
    firstPacketMs ??= arrivedMs - startMs;
    delaysMs.push(arrivedMs - (seconds * 1_000 + nanoseconds / 1e6));
  }
  return { firstPacketMs: firstPacketMs ?? Number.NaN, delaysMs };
}
