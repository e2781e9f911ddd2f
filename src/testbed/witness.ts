import { type Child, startChild } from './child-program.ts';
import { compileTestProgram } from './compile.ts';
import { datagramPort } from './datagrams.ts';
import type { Argv } from './run-program.ts';

/** Ends when the interface is deleted or after `stop()`, with the numbers of the datagrams that passed it, in order. */
export type Witness = Child<readonly number[]>;

/** Records an interface next to tcpdump, without a loss (see witness.c); is listening when this resolves. */
export async function startWitness(
  command: (argv: Argv) => Argv,
  networkInterface: string,
  port = datagramPort,
): Promise<Witness> {
  const program = await compileTestProgram('witness');
  const witness = startChild(command([program, networkInterface, String(port)]), parseNumbers);
  await witness.ready;
  return witness;
}

function parseNumbers(output: string): readonly number[] {
  const [ready, ...lines] = output.trimEnd().split('\n');
  const dropped = lines.pop();
  if (ready !== 'ready' || dropped !== 'dropped 0')
    throw new Error(`unexpected output of the witness: ${ready} ... ${dropped}`);
  return lines.map(Number);
}
