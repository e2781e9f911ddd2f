import { type Child, startChild } from './child-program.ts';
import { compileTestProgram } from './compile.ts';
import type { Argv } from './run-program.ts';

/** Numbered datagrams: the payload of each is `seq=<number>` in ASCII, padded with dots. */
export type DatagramOptions = {
  /** How many. Without it, the sender runs until it is stopped or the interface is deleted. */
  readonly count?: number;
  /** Packets per second; 0 means as fast as one core can. */
  readonly rate?: number;
  /** Payload bytes of each datagram. */
  readonly bytes?: number;
  readonly port?: number;
  readonly firstNumber?: number;
  readonly to?: string;
};

/** What the sender reports at its end. */
export type Sent = {
  /** How many datagrams the kernel accepted: the numbers from firstNumber on. */
  readonly sent: number;
  /** `count`, `stopped`, or the error that ended it: ENETUNREACH when the interface is deleted. */
  readonly reason: string;
};

/** `ended` resolves at the count, after `stop()`, or at an error of the network. */
export type Sending = Child<Sent>;

/** The port of `discard`, RFC 863. */
export const datagramPort = 9;

/** Starts to send numbered datagrams. */
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

/** The number of a numbered datagram; undefined for any other payload. */
export function datagramNumber(payload: Uint8Array): number | undefined {
  const start = Buffer.from(payload.subarray(0, 24)).toString('latin1');
  const digits = /^seq=(\d+)/.exec(start)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

function parseSent(output: string): Sent {
  const [, sent, reason] = /^sent (\d+), (\w+)\n$/.exec(output) ?? [];
  if (sent === undefined || reason === undefined)
    throw new Error(`unexpected output of the sender: ${output}`);
  return { sent: Number(sent), reason };
}
