import { type Child, startChild } from './child-program.ts';
import { compileTestProgram } from './compile.ts';
import { datagramPort } from './datagrams.ts';
import type { Argv } from './run-program.ts';

/** A program that runs until it is stopped. */
export type Endless = Child<void>;

/** Starts to receive all datagrams, or all streams, that are sent to the port; is ready when this resolves. */
export async function startSink(
  command: (argv: Argv) => Argv,
  protocol: 'udp' | 'tcp',
  port = datagramPort,
): Promise<Endless> {
  return await startReady(command([await compileTestProgram('sink'), protocol, String(port)]));
}

/** Starts to send one TCP stream as fast as possible; is connected when this resolves. */
export async function startPump(
  command: (argv: Argv) => Argv,
  to: string,
  port = datagramPort,
): Promise<Endless> {
  return await startReady(command([await compileTestProgram('tcp-pump'), to, String(port)]));
}

async function startReady(argv: Argv): Promise<Endless> {
  const child = startChild(argv, () => {});
  await child.ready;
  return child;
}
