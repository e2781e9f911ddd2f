import { type Child, startChild } from './child-program.ts';
import { compileTestProgram } from './compile.ts';
import { datagramPort } from './datagrams.ts';
import type { Argv } from './run-program.ts';

/** The numbers of the datagrams that an interface carried, in order; known when it has gone or after `stop()`. */
export type Witness = Child<readonly number[]>;

/** Hears an interface beside tcpdump, exactly (why: witness.c); it is listening when this returns. */
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
    throw new Error(`the witness said: ${ready} ... ${dropped}`);
  return lines.map(Number);
}
