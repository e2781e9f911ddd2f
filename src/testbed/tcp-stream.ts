import { type Child, startChild } from './child-program.ts';
import { compileTestProgram } from './compile.ts';
import { datagramPort } from './datagrams.ts';
import type { Argv } from './run-program.ts';

/** Runs until it is stopped. */
export type Endless = Child<void>;

/** Takes all datagrams, or all streams, that are sent to the port; it is ready when this returns. */
export async function startSink(
  command: (argv: Argv) => Argv,
  protocol: 'udp' | 'tcp',
  port = datagramPort,
): Promise<Endless> {
  return await startReady(command([await compileTestProgram('sink'), protocol, String(port)]));
}

/** Sends one TCP stream as fast as it goes; it is connected when this returns. */
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
