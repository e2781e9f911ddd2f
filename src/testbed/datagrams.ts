import { type Child, startChild } from './child-program.ts';
import { compileTestProgram } from './compile.ts';
import type { Argv } from './run-program.ts';

/** Numbered datagrams: each carries `seq=<number>` in ASCII, padded with dots. */
export type DatagramOptions = {
  /** How many; without it until stopped or until the interface goes. */
  readonly count?: number;
  /** Packets per second; 0 is as fast as one core can. */
  readonly rate?: number;
  /** Payload bytes of each. */
  readonly bytes?: number;
  readonly port?: number;
  readonly firstNumber?: number;
  readonly to?: string;
};

export type Sent = {
  /** How many datagrams the kernel took: the numbers from firstNumber on. */
  readonly sent: number;
  /** `count`, `stopped`, or the error that ended it: ENETUNREACH when the interface has gone. */
  readonly reason: string;
};

/** `ended` comes at the count, after `stop()`, or when the network refuses. */
export type Sending = Child<Sent>;

/** The port of `discard`, RFC 863. */
export const datagramPort = 9;

export async function startSender(
  command: (argv: Argv) => Argv,
  {
    to,
    count = 0,
    rate = 1000,
    bytes = 100,
    port = datagramPort,
    firstNumber = 0,
  }: DatagramOptions & { to: string },
): Promise<Sending> {
  const program = await compileTestProgram('sender');
  return startChild(
    command([program, to, ...[port, firstNumber, count, rate, bytes].map(String)]),
    parseSent,
  );
}

/** The number that a numbered datagram carries; undefined for any other payload. */
export function datagramNumber(payload: Uint8Array): number | undefined {
  const beginning = Buffer.from(payload.subarray(0, 24)).toString('latin1');
  const digits = /^seq=(\d+)/.exec(beginning)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

function parseSent(output: string): Sent {
  const [, sent, reason] = /^sent (\d+), (\w+)\n$/.exec(output) ?? [];
  if (sent === undefined || reason === undefined) throw new Error(`the sender said: ${output}`);
  return { sent: Number(sent), reason };
}
